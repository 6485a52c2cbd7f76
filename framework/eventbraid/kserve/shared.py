"""Tensors that are named in a message and lie in shared memory: the extension "system_shared_memory" of the protocol.

A region is a POSIX shared-memory object that the server was told of by name; its key is the object's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

from eventbraid.kserve.metadata import ModelMetadata
from eventbraid.kserve.tensors import NUMPY_TYPES
from eventbraid.kserve.wire import protocol

__all__ = ["FOLDER", "Location", "Placed", "output_sizes", "register_request", "tensor_fields"]

FOLDER: Final = Path("/dev/shm")
"""Where Linux shows the shared-memory objects of this host, or of this container."""


class Location(NamedTuple):
    """Some bytes of a region."""

    region: str
    offset: int
    nbytes: int


class Placed(NamedTuple):
    """An input of a request, with its location; None: its bytes are in the message."""

    name: str
    dtype: str
    shape: Sequence[int]
    location: Location | None


def tensor_fields(inputs: Iterable[Placed], outputs: Iterable[tuple[str, Location | None]]) -> bytes:
    """The inputs and the wanted outputs of a ModelInferRequest: behind a head that has none they are the request."""
    request = protocol().ModelInferRequest()
    for each in inputs:
        _locate(request.inputs.add(name=each.name, datatype=each.dtype, shape=each.shape), each.location)
    for name, location in outputs:
        _locate(request.outputs.add(name=name), location)
    fields: bytes = request.SerializeToString()
    return fields


def _locate(tensor: Any, location: Location | None) -> None:
    if location is None:
        return
    parameters = tensor.parameters
    parameters["shared_memory_region"].string_param = location.region
    parameters["shared_memory_byte_size"].int64_param = location.nbytes
    if location.offset:
        parameters["shared_memory_offset"].int64_param = location.offset


def register_request(name: str, size: int) -> bytes:
    """The SystemSharedMemoryRegisterRequest of a whole object, under its own name."""
    request = protocol().SystemSharedMemoryRegisterRequest(name=name, key=f"/{name}", offset=0, byte_size=size)
    data: bytes = request.SerializeToString()
    return data


def output_sizes(model: ModelMetadata, rows: int | None, wanted: Iterable[str] = ()) -> dict[str, int]:
    """Bytes of each output, all or those wanted, for a batch of so many rows; 0 where nobody can know.

    `rows` is None for a model without a batch. Strings have no size of their own, nor have types that
    NumPy does not know.
    """
    specs = {spec.name: spec for spec in model.outputs}
    sizes: dict[str, int] = {}
    for name in tuple(wanted) or specs:
        shape = specs[name].shape
        if rows is not None and shape[:1] == (-1,):
            shape = (rows, *shape[1:])
        kind = NUMPY_TYPES.get(specs[name].dtype)
        sizes[name] = prod(shape) * kind.itemsize if kind and not kind.hasobject and -1 not in shape else 0
    return sizes
