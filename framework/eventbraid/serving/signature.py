"""What a model takes and gives, and a configuration held against it. Pure, but for the network that is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import ConfigurationError, Fault, nearest, need_extra
from eventbraid.kserve import TensorSpec
from eventbraid.serving.backends.session import Session

__all__ = ["Signature", "complete", "signature_of", "type_number"]

ONNX_TYPES: Final = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
"""The protocol's types for those of ONNX."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs, with the batch where there is one."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.inputs))} -> {', '.join(map(str, self.outputs))}"


def signature_of(file: Path) -> Signature:
    """That of an ONNX network; raises `ConfigurationError` where it is broken."""
    session = Session(file)
    return Signature(_specs(session.inputs), _specs(session.outputs))


def _specs(tensors: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            each.name,
            ONNX_TYPES.get(str(each.type)) or str(each.type),
            tuple(n if isinstance(n, int) else -1 for n in each.shape),
        )
        for each in tensors
    )


def complete(config: Any, found: Signature, where: str) -> None:
    """Fill in what a configuration leaves out of a network; raises `ConfigurationError` where it contradicts it."""
    batched = config.max_batch_size > 0
    faults = [
        Fault(where, f"{sort} {what}")
        for sort, given, specs in (("input", config.input, found.inputs), ("output", config.output, found.outputs))
        for what in _contradictions(given, specs, batched)
    ]
    if batched and any(not spec.shape or spec.shape[0] != -1 for spec in (*found.inputs, *found.outputs)):
        faults.append(Fault(where, "max_batch_size needs a model whose first dimension is variable"))
    if faults:
        raise ConfigurationError(faults, where)
    for given, specs in ((config.input, found.inputs), (config.output, found.outputs)):
        for spec in () if given else specs:
            dims = spec.shape[1:] if batched else spec.shape
            given.add(name=spec.name, data_type=type_number(spec.dtype), dims=dims)


def described(config: Any) -> Signature:
    """What a configuration says of itself, for a model that has no other description."""

    def specs(tensors: Iterable[Any]) -> tuple[TensorSpec, ...]:
        batch = (-1,) if config.max_batch_size else ()
        return tuple(TensorSpec(each.name, _type_name(each.data_type), (*batch, *each.dims)) for each in tensors)

    return Signature(specs(config.input), specs(config.output))


def _contradictions(given: Sequence[Any], specs: Sequence[TensorSpec], batched: bool) -> Iterator[str]:
    """Where the tensors of a configuration are not those of the model."""
    have = {spec.name: spec for spec in specs}
    for tensor in given:
        spec = have.pop(tensor.name, None)
        if spec is None:
            hint = nearest(tensor.name, [each.name for each in specs])
            yield f"{tensor.name!r} is not in the model, which has {', '.join(map(str, specs))}; {hint}"
            continue
        if tensor.data_type != type_number(spec.dtype):
            yield f"{tensor.name!r} is {_type_name(tensor.data_type)}, but the model has {spec}"
        dims = (-1, *tensor.dims) if batched else tuple(tensor.dims)
        if len(dims) != len(spec.shape) or any(
            -1 not in pair and pair[0] != pair[1] for pair in zip(dims, spec.shape, strict=True)
        ):
            shape = f"[{','.join(map(str, dims))}]" + (" with its batch" if batched else "")
            yield f"{tensor.name!r} has dims {shape}, but the model has {spec}"
    if given:
        yield from (f"{name!r} of the model is missing" for name in have)


def _messages() -> Any:
    return need_extra("tritonclient.grpc.model_config_pb2", "inference", "reading a model's config.pbtxt")


def _type_name(number: int) -> str:
    return str(_messages().DataType.Name(number)).removeprefix("TYPE_").replace("STRING", "BYTES")


def type_number(dtype: str) -> int:
    """The protocol's type by its name, as a configuration has it; 0 where it has none."""
    names = _messages().DataType
    name = f"TYPE_{dtype.replace('BYTES', 'STRING')}"
    return int(names.Value(name)) if name in names.keys() else 0  # noqa: SIM118  # no dictionary
