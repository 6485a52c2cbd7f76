"""Requests to the embedded server: the tensors out of a message."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventbraid.errors import RequestError
from eventbraid.kserve import ModelMetadata, Tensors
from eventbraid.kserve.tensors import NUMPY_TYPES, decode, encode
from eventbraid.serving.shared_memory import SharedRegions, location_of

__all__ = ["tensors_of"]


def tensors_of(request: Any, model: ModelMetadata, regions: SharedRegions) -> Tensors:
    """The tensors of a ModelInferRequest: raw, typed, or in shared memory.

    Raises `RequestError` where they make no sense, and `SharedMemoryError` where they are not where they should be.
    """
    locations = [location_of(tensor) for tensor in request.inputs]
    raw, count = iter(request.raw_input_contents), locations.count(None)
    if request.raw_input_contents and len(request.raw_input_contents) != count:
        message = f"{count} inputs with {len(request.raw_input_contents)} raw contents"
        raise RequestError(message, model=model.name)
    found: Tensors = {}
    for tensor, location in zip(request.inputs, locations, strict=True):
        try:
            if any(size < 0 for size in tensor.shape):  # NumPy would take -1 for "whatever fits"
                raise ValueError("a size is negative")
            if location is not None:
                data: Any = regions.bytes_at(location).data
            else:
                data = next(raw) if request.raw_input_contents else _typed(tensor)
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
