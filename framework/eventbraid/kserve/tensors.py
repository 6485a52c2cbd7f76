"""Tensors: NumPy arrays by name, and what they are called and how they are laid out in the protocol."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy import dtype

__all__ = ["NUMPY_TYPES", "Tensors", "decode", "encode", "protocol_type"]

Tensors: TypeAlias = dict[str, NDArray[Any]]
"""Arrays by the names of a model's inputs or outputs."""

NUMPY_TYPES: Final[Mapping[str, dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(np.object_),
}
"""The protocol's names of types; BYTES are strings of bytes in an object array."""

_NAMES: Final = {dtype: name for name, dtype in NUMPY_TYPES.items()}


def protocol_type(array: NDArray[Any]) -> str:
    """The protocol's name of an array's type, or "" where it has none."""
    name = _NAMES.get(array.dtype)
    if name is not None:
        return name
    if array.dtype.kind in "SU":
        return "BYTES"
    return _NAMES.get(array.dtype.newbyteorder("<"), "")


def encode(array: NDArray[Any]) -> bytes | memoryview:
    """The bytes of a tensor: row-major, little endian; each string after its length in four bytes.

    A contiguous array is not copied: the result is a view of it.
    """
    name = protocol_type(array)
    if name == "BYTES":
        return b"".join(_prefixed(each) for each in array.ravel().tolist())
    if array.size == 0:
        return b""
    plain = np.ascontiguousarray(array, dtype=NUMPY_TYPES[name])
    return plain.reshape(-1).view(np.uint8).data


def _prefixed(value: object) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("<I", len(data)) + data


def decode(data: bytes | memoryview, name: str, shape: Sequence[int]) -> NDArray[Any]:
    """The tensor of some bytes, a read-only view of them except for strings; raises ValueError if they do not fit."""
    if name != "BYTES":
        return np.frombuffer(data, NUMPY_TYPES[name]).reshape(tuple(shape))
    values: list[bytes] = []
    place, view = 0, memoryview(data)
    while place < len(view):
        if place + 4 > len(view):
            raise ValueError("the length of a string ends early")
        (length,) = struct.unpack_from("<I", view, place)
        place += 4
        if place + length > len(view):
            raise ValueError("a string is longer than the tensor's bytes")
        values.append(bytes(view[place : place + length]))
        place += length
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array.reshape(tuple(shape))
