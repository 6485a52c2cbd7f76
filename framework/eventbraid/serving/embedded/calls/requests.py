"""Requests and answers of the embedded server: the tensors out of a message, and a message of the tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import RequestError
from eventbraid.kserve import ModelMetadata, Tensors
from eventbraid.kserve.tensors import NUMPY_TYPES, decode, encode, protocol_type
from eventbraid.kserve.wire import RAW_INPUT_CONTENTS, RAW_OUTPUT_CONTENTS, protocol, split, varint
from eventbraid.serving.backends.base import Parameter
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.shared_memory import SharedRegions, location_of

__all__ = ["EMPTY_FINAL", "answer_bytes", "parameters_of", "read_request", "tensors_of"]

EMPTY_FINAL: Final = "triton_enable_empty_final_response"
"""Ends the answers of a decoupled model with one that is empty."""
OWN_PARAMETERS: Final = frozenset(
    {
        *("priority", "timeout", "binary_data_output", "sequence_id", "sequence_start", "sequence_end"),
        EMPTY_FINAL,
    }
)
"""What the server understands itself, and models do not see."""
FIELDS: Final = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
"""Of an InferParameter, by the type of a value."""
LONGEST_KNOWN: Final = 4096
"""Bytes of a request without its tensors, or of its id, up to which it is remembered."""


def read_request(data: bytes) -> tuple[Any, Sequence[bytes | memoryview]]:
    """A ModelInferRequest without its raw contents, not to be changed, and these.

    Raises `RequestError` where it is none.
    """
    try:
        head, contents = split(data, RAW_INPUT_CONTENTS)
        return (_known_request if len(head) <= LONGEST_KNOWN else _request)(head), contents
    except Exception as error:
        raise RequestError(f"the request cannot be read: {error}") from error


def _request(head: bytes) -> Any:
    return protocol().ModelInferRequest.FromString(head)


_known_request = lru_cache(maxsize=1024)(_request)


def parameters_of(request: Any) -> dict[str, Parameter]:
    """Those that are for the model; raises `RequestError` for a name that is reserved."""
    others = {name: value for name, value in request.parameters.items() if name not in OWN_PARAMETERS}
    for name in others:
        if name.startswith("triton_"):
            what = f"parameter keys starting with 'triton_' are reserved for Triton usage; {name!r} is given"
            raise RequestError(what, model=request.model_name)
    chosen = {name: value.WhichOneof("parameter_choice") for name, value in others.items()}
    return {name: getattr(others[name], choice) for name, choice in chosen.items() if choice}


def tensors_of(
    request: Any, contents: Sequence[bytes | memoryview], model: ModelMetadata, regions: SharedRegions
) -> Tensors:
    """The tensors of a request: raw, typed, or in shared memory.

    Raises `RequestError` where they make no sense, and `SharedMemoryError` where they are not where they should be.
    """
    locations = [location_of(tensor) for tensor in request.inputs]
    raw, count = iter(contents), locations.count(None)
    if contents and len(contents) != count:
        raise RequestError(f"{count} inputs with {len(contents)} raw contents", model=model.name)
    found: Tensors = {}
    for tensor, location in zip(request.inputs, locations, strict=True):
        if tensor.name in found:
            raise RequestError(f"input {tensor.name!r} already exists in request", model=model.name)
        try:
            if any(size < 0 for size in tensor.shape):  # NumPy would take -1 for "whatever fits"
                raise ValueError("a size is negative")
            if location is not None:
                data: Any = regions.bytes_at(location).data
            else:
                data = next(raw) if contents else _typed(tensor)
            found[tensor.name] = decode(data, tensor.datatype, tensor.shape)
        except (ValueError, KeyError, OverflowError) as error:
            shape = f"{tensor.datatype}[{','.join(map(str, tensor.shape))}]"
            message = f"the contents of input {tensor.name!r} are no {shape}: {error}"
            raise RequestError(message, model=model.name) from error
    return found


def _typed(tensor: Any) -> bytes:
    """The bytes of a tensor that was sent as numbers."""
    fields = {
        "BOOL": "bool_contents",
        "INT64": "int64_contents",
        "UINT64": "uint64_contents",
        "FP32": "fp32_contents",
        "FP64": "fp64_contents",
        "BYTES": "bytes_contents",
    }
    small = "uint_contents" if tensor.datatype.startswith("U") else "int_contents"
    values = list(getattr(tensor.contents, fields.get(tensor.datatype, small)))
    array = np.empty(len(values), NUMPY_TYPES[tensor.datatype])
    array[:] = values
    return bytes(encode(array))


def answer_bytes(
    model: str,
    version: str,
    identity: str,
    outputs: Iterable[tuple[str, NDArray[Any], bool]],
    parameters: Mapping[str, Parameter],
) -> bytes:
    """A ModelInferResponse: each output with its name, and whether its contents are elsewhere."""
    heads, parts = list[tuple[str, str, tuple[int, ...]]](), list[bytes | memoryview]()
    for name, array, elsewhere in outputs:
        heads.append((name, protocol_type(array), array.shape))
        data = b"" if elsewhere else encode(array)
        parts += (bytes((RAW_OUTPUT_CONTENTS,)) + varint(len(data)), data)
    known = len(identity) <= LONGEST_KNOWN
    head = (_known_head if known else _head)(model, version, identity, tuple(heads), _typed_items(parameters))
    return b"".join([head, *parts])


def _head(
    model: str,
    version: str,
    identity: str,
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...],
    parameters: tuple[tuple[str, type, Parameter], ...],
) -> bytes:
    answer = protocol().ModelInferResponse(model_name=model, model_version=version, id=identity)
    for name, datatype, shape in outputs:
        answer.outputs.add(name=name, datatype=datatype, shape=shape)
    for name, _, value in parameters:
        put(answer.parameters[name], value)
    head: bytes = answer.SerializeToString()
    return head


def _typed_items(parameters: Mapping[str, Parameter]) -> tuple[tuple[str, type, Parameter], ...]:
    """With their types, for True, 1 and 1.0 are equal, and an answer that is remembered for one is none for another.

    Raises `ModelFailure` where one has a type that the protocol cannot carry.
    """
    for name, value in parameters.items():
        if type(value) not in FIELDS:
            what = (
                f"parameter {name!r} of the model's answer is {type(value).__name__}: expected bool, int, float or str"
            )
            raise ModelFailure(what)
    return tuple((name, type(value), value) for name, value in parameters.items())


_known_head = lru_cache(maxsize=1024)(_head)


def put(parameter: Any, value: Parameter) -> None:
    """Set an InferParameter."""
    setattr(parameter, FIELDS[type(value)], value)
