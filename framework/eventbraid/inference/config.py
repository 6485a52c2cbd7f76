"""Whether a server runs a model as a local config.pbtxt says: field by field, but for what servers fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import ConfigurationError, RequestError, need_extra
from eventbraid.kserve.config import parse_config

__all__ = ["check_config", "config_faults"]

BACKENDS: Final = {
    "ensemble": "ensemble",
    "onnxruntime_onnx": "onnxruntime",
    "pytorch_libtorch": "pytorch",
    "tensorflow_graphdef": "tensorflow",
    "tensorflow_savedmodel": "tensorflow",
    "tensorrt_plan": "tensorrt",
}
"""The back end that a platform, the older way to name it, stands for."""

FILLED: Final = re.compile(
    r"name|backend|platform|runtime|default_model_filename|instance_group"
    r"|(in|out)put(\['.*'\]\.(data_type|dims|is_shape_tensor))?"
    r"|instance_group\[\d+\]\.(name|kind|count|gpus)"
    r"|dynamic_batching\.preferred_batch_size"
    r"|sequence_batching\.(max_sequence_idle_microseconds|oldest\.preferred_batch_size)"
    r"|optimization\.(in|out)put_pinned_memory"
)
"""Fields that a server fills in where the file leaves them out."""
KEYS: Final = {"input": "name", "output": "name", "model_warmup": "name"}
"""Repeated fields whose elements have names, and so no order."""


def check_config(file: Path, model: str, configs: Mapping[str, Any]) -> None:
    """Raise `RequestError` unless every server's ModelConfig of the model agrees with the file.

    `configs` has them by the names of the servers, None for one that does not tell. Raises `ConfigurationError` for
    a file that cannot be read.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"cannot be read: {why}", str(file)) from error
    local = parse_config(text, str(file))
    for server, config in configs.items():
        if config is None:
            message = f"the server does not tell the model's configuration, which {file} is to agree with"
            raise RequestError(message, server=server, model=model)
        if faults := list(_differences(local, config)):
            raise RequestError(
                f"the server's configuration is not that of {file}: {'; '.join(faults)}", server=server, model=model
            )


def config_faults(local_text: str, server_config: Any) -> list[str]:
    """Where a server's ModelConfig differs from the text of a config.pbtxt: the field, both values.

    What a server fills in where the text is silent is no difference: names, file, instances, defaults.
    """
    return list(_differences(parse_config(local_text, "config.pbtxt"), server_config))


def _differences(local: Any, remote: Any) -> Iterator[str]:
    local, remote = _normal(local), _normal(remote)
    if not (local.platform and remote.platform):
        local.platform = remote.platform = ""  # the back ends tell
    if not (local.input or local.output or local.max_batch_size):
        # The batch is found out from the network, and batched then, if nothing else is said.
        local.max_batch_size = remote.max_batch_size
        if local.WhichOneof("scheduling_choice") is None and remote.HasField("dynamic_batching"):
            local.dynamic_batching.CopyFrom(remote.dynamic_batching)
    return _walk(local, remote, "")


def _normal(config: Any) -> Any:
    """The same with what a text may leave out, and every server means the same by."""
    made = type(config)()
    made.CopyFrom(config)
    if not made.HasField("version_policy"):
        made.version_policy.latest.num_versions = 1
    made.backend = made.backend or BACKENDS.get(made.platform, "")
    return made


def _walk(local: Any, remote: Any, path: str) -> Iterator[str]:
    here, there = _fields(local), _fields(remote)
    for field in local.DESCRIPTOR.fields:
        name = f"{path}.{field.name}" if path else field.name
        one, other = here.get(field.name), there.get(field.name)
        if one is None and FILLED.fullmatch(name):
            continue
        if field.message_type is None:
            if one != other:
                yield _fault(name, field, one, other)
        elif isinstance(one, dict) or isinstance(other, dict):
            yield from _walk_elements(field, one or {}, other or {}, name)
        elif field.containing_oneof is not None and (one is None or other is None):
            if one is not other:
                yield _fault(name, field, one, other)
        elif one is not None or other is not None:
            yield from _walk(getattr(local, field.name), getattr(remote, field.name), name)


def _walk_elements(field: Any, here: Mapping[Any, Any], there: Mapping[Any, Any], path: str) -> Iterator[str]:
    for key in {**here, **there}:
        name, one, other = f"{path}[{key!r}]", here.get(key), there.get(key)
        if hasattr(one, "DESCRIPTOR") and hasattr(other, "DESCRIPTOR"):
            yield from _walk(one, other, name)
        elif one != other:
            yield _fault(name, field, one, other)


def _fields(message: Any) -> dict[str, Any]:
    """The fields that are set: repeated messages and maps as dictionaries, other repeated fields as lists."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if not field.is_repeated:
            found[field.name] = value
        elif field.message_type is None:
            found[field.name] = list(value)
        elif field.message_type.GetOptions().map_entry:
            found[field.name] = dict(value)
        else:
            key = KEYS.get(field.name)
            found[field.name] = {getattr(each, key) if key else n: each for n, each in enumerate(value)}
    return found


def _fault(name: str, field: Any, one: Any, other: Any) -> str:
    return f"{name}: {_shown(field, one)} in the file, {_shown(field, other)} on the server"


def _shown(field: Any, value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"[{', '.join(_shown(field, each) for each in value)}]"
    if hasattr(value, "DESCRIPTOR"):
        text_format = need_extra("google.protobuf.text_format", "inference", "comparing configurations")
        return f"{{ {text_format.MessageToString(value, as_one_line=True)} }}"
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return repr(value)
