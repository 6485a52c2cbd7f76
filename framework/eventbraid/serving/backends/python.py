"""Models written in Python, for Triton's Python back end: a file `model.py` with a class `TritonPythonModel`."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import ConfigurationError, nearest, need_extra
from eventbraid.kserve import Tensors
from eventbraid.kserve.config import with_defaults
from eventbraid.serving.backends import triton_python_backend_utils as utils
from eventbraid.serving.backends.base import Parameter, Reply, Request
from eventbraid.serving.backends.failure import ModelFailure

__all__ = ["PythonInstance", "completed", "model_class"]

CODES: Final = {
    utils.TritonError.UNKNOWN: "UNKNOWN",
    utils.TritonError.INTERNAL: "INTERNAL",
    utils.TritonError.NOT_FOUND: "NOT_FOUND",
    utils.TritonError.INVALID_ARG: "INVALID_ARGUMENT",
    utils.TritonError.UNAVAILABLE: "UNAVAILABLE",
    utils.TritonError.UNSUPPORTED: "UNIMPLEMENTED",
    utils.TritonError.ALREADY_EXISTS: "ALREADY_EXISTS",
    utils.TritonError.CANCELLED: "CANCELLED",
}
"""The gRPC statuses of Triton's errors."""
_numbers = count(1)


def model_class(file: Path) -> Any:
    """The class of a `model.py`; raises `ConfigurationError` where it cannot be had."""
    sys.modules.setdefault("triton_python_backend_utils", utils)
    spec = importlib.util.spec_from_file_location(f"eventbraid_model_{next(_numbers)}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look for it there
    folder = str(file.parent)
    sys.path.insert(0, folder)  # it may import what lies beside it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise ConfigurationError(f"cannot be imported: {type(error).__name__}: {error}", str(file)) from error
    finally:
        sys.path.remove(folder)
    found = getattr(module, "TritonPythonModel", None)
    if not isinstance(found, type):
        classes = [name for name, each in vars(module).items() if isinstance(each, type)]
        what = f"has no class TritonPythonModel; {nearest('TritonPythonModel', classes)}"
        raise ConfigurationError(what, str(file))
    return found


def completed(config: Any, file: Path) -> Any:
    """A configuration with what the model's own `auto_complete_config` adds to it, where it has that."""
    found = model_class(file)
    if not hasattr(found, "auto_complete_config"):
        return config
    json_format = need_extra("google.protobuf.json_format", "inference", "reading a model's config.pbtxt")
    given = json_format.MessageToDict(config, preserving_proto_field_name=True)
    try:
        made = found.auto_complete_config(utils.ModelConfig({"max_batch_size": 0, **given}))
        return json_format.ParseDict(made.as_dict(), type(config)())
    except (Exception, SystemExit) as error:
        what = f"auto_complete_config failed: {type(error).__name__}: {error}"
        raise ConfigurationError(what, str(file)) from error


def with_numbers(said: dict[str, Any], kind: Any) -> dict[str, Any]:
    """A message as protobuf's JSON with 64-bit numbers as numbers, as Triton gives them, and not as text."""
    made: dict[str, Any] = {}
    for name, value in said.items():
        field = kind.fields_by_name[name]
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            of = inner.fields_by_name["value"].message_type
            made[name] = value if of is None else {key: with_numbers(each, of) for key, each in value.items()}
        elif inner is not None:
            made[name] = (
                [with_numbers(each, inner) for each in value] if isinstance(value, list) else with_numbers(value, inner)
            )
        elif field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64):
            made[name] = [int(each) for each in value] if isinstance(value, list) else int(value)
        else:
            made[name] = value
    return made


class PythonInstance:
    """One object of the class, which is made, called and left in the thread of its copy alone."""

    def __init__(self, file: Path, config: Any, number: int, kind: str = "CPU", device: int = 0) -> None:
        json_format = need_extra("google.protobuf.json_format", "inference", "reading a model's config.pbtxt")
        said = json_format.MessageToDict(
            with_defaults(config), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        self._decoupled = bool(config.model_transaction_policy.decoupled)
        self._outputs = [each.name for each in config.output]
        made = model_class(file)()
        arguments = {
            "model_config": json.dumps(with_numbers(said, config.DESCRIPTOR)),
            "model_instance_kind": kind,
            "model_instance_name": f"{config.name}_{number}",
            "model_instance_device_id": str(device),
            "model_repository": str(file.parent.parent),
            "model_version": file.parent.name,
            "model_name": config.name,
        }
        try:
            if hasattr(made, "initialize"):
                made.initialize(arguments)
        except (Exception, SystemExit) as error:
            what = f"initialize failed: {type(error).__name__}: {error}"
            raise ConfigurationError(what, str(file)) from error
        self._model = made

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """What the model's own `execute` says to the requests."""
        answers = self._model.execute([self._shown(each) for each in requests])
        if self._decoupled:
            if answers is not None:
                raise ModelFailure("a decoupled model must return None from execute")
            return []
        if not isinstance(answers, (list, tuple)) or len(answers) != len(requests):
            given = len(answers) if isinstance(answers, (list, tuple)) else type(answers).__name__
            raise ModelFailure(f"execute must return a list of {len(requests)} responses, and returned {given}")
        return [self._reply(answer, request) for answer, request in zip(answers, requests, strict=True)]

    def close(self) -> None:
        """Tell the model, if it wants to know."""
        if hasattr(self._model, "finalize"):
            self._model.finalize()

    def _shown(self, request: Request) -> utils.InferenceRequest:
        def send(response: utils.InferenceResponse | None, last: bool) -> None:
            if request.send is None:
                raise utils.TritonModelException("this model is not decoupled: its answer is what execute returns")
            if response is not None:
                reply = self._reply(response, request)
                reply.final = last
                request.send(reply)
            if last:
                request.send(None)

        return utils.InferenceRequest(
            [utils.Tensor(name, array) for name, array in request.inputs.items()],
            request_id=request.id,
            requested=request.wanted or self._outputs,
            parameters=request.parameters,
            timeout=int(request.timeout * 1e6),
            sequence=request.sequence,
            priority=request.priority,
            cancelled=lambda: request.cancelled,
            send=send,
        )

    def _reply(self, answer: Any, request: Request) -> Reply:
        if not isinstance(answer, utils.InferenceResponse):
            return Reply(error=ModelFailure(f"execute returned {type(answer).__name__} and no InferenceResponse"))
        if answer.has_error():
            error = answer.error()
            code = CODES.get(error.code(), "INTERNAL") if isinstance(error, utils.TritonError) else "INTERNAL"
            return Reply(error=ModelFailure(str(error), code))
        outputs: Tensors = {each.name(): each.as_numpy() for each in answer.output_tensors()}
        parameters: Mapping[str, Parameter] = json.loads(answer.parameters())
        return Reply({name: outputs[name] for name in request.wanted or outputs if name in outputs}, None, parameters)
