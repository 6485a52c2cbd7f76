"""The regions that clients have registered with the embedded server, with Triton's statuses and texts."""

from __future__ import annotations

import mmap
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventbraid.kserve.shared import FOLDER, Location

__all__ = ["SharedMemoryError", "SharedRegion", "SharedRegions", "location_of"]


class SharedMemoryError(Exception):
    """A request about shared memory that cannot be served: the name of its gRPC status, and the reason."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(code, details)
        self.code, self.details = code, details


class SharedRegion:
    """A registered part of a client's object."""

    def __init__(self, name: str, key: str, offset: int, size: int, memory: mmap.mmap) -> None:
        self.name, self.key, self.offset, self.size = name, key, offset, size
        self.memory = memory
        self.uses = 0
        self.leaving = False

    def __repr__(self) -> str:
        return f"SharedRegion({self.name!r} of {self.key!r}, {self.size} bytes, {self.uses} requests)"


class SharedRegions:
    """What clients have registered; what requests use is kept until they have ended, as by Triton from 2.52 on."""

    def __init__(self) -> None:
        self._regions: dict[str, SharedRegion] = {}

    def register(self, name: str, key: str, offset: int, size: int) -> None:
        """Map `size` bytes of an object; raises `SharedMemoryError`."""
        if name in self._regions:
            raise SharedMemoryError("ALREADY_EXISTS", f"shared memory region '{name}' already in manager")
        if not size:
            raise _invalid(name)
        memory = _map(name, key, offset + size)
        self._regions[name] = SharedRegion(name, key, offset, size, memory)

    def unregister(self, name: str) -> None:
        """Forget a region, or all where no name is given; an unknown one is forgotten already."""
        for each in [name] if name else list(self._regions):
            region = self._regions.get(each)
            if region is not None:
                region.leaving = True
                self._leave(region)

    def status(self, name: str) -> list[SharedRegion]:
        """A region, or all where no name is given; raises `SharedMemoryError`."""
        if not name:
            return list(self._regions.values())
        if name not in self._regions:
            raise SharedMemoryError("NOT_FOUND", f"Unable to find system shared memory region: '{name}'")
        return [self._regions[name]]

    def bytes_at(self, location: Location) -> NDArray[np.uint8]:
        """Some bytes of a region, which clients may change; they stay mapped as long as the array lives."""
        region = self._find(location.region)
        if not 0 <= location.offset < region.size:
            message = f"Invalid offset for shared memory region: '{region.name}'"
            raise SharedMemoryError("INVALID_ARGUMENT", message)
        if not 0 <= location.nbytes <= region.size - location.offset:
            message = f"Invalid offset + byte size for shared memory region: '{region.name}'"
            raise SharedMemoryError("INVALID_ARGUMENT", message)
        return np.ndarray(location.nbytes, np.uint8, region.memory, region.offset + location.offset)

    def write(self, location: Location, name: str, data: bytes | memoryview) -> None:
        """Put an output's bytes where the request wants them."""
        if len(data) > location.nbytes:
            given = f"shared memory size specified with the request for output '{name}' ({location.nbytes} bytes)"
            raise SharedMemoryError("INTERNAL", f"{given} should be at least {len(data)} bytes to hold the results")
        self.bytes_at(location).data[: len(data)] = data

    @contextmanager
    def used_by(self, request: Any) -> Generator[None]:
        """Keep the regions of a request as long as it lasts; raises `SharedMemoryError` where one is not known."""
        locations = (location_of(tensor) for tensor in (*request.inputs, *request.outputs))
        regions = [self._find(location.region) for location in locations if location is not None]
        for region in regions:
            region.uses += 1
        try:
            yield
        finally:
            for region in regions:
                region.uses -= 1
                self._leave(region)

    def _find(self, name: str) -> SharedRegion:
        region = self._regions.get(name)
        if region is None:
            raise SharedMemoryError("NOT_FOUND", f"Unable to find shared memory region: '{name}'")
        if region.memory.size() < len(region.memory):  # to touch what is gone would end this process
            raise SharedMemoryError("INVALID_ARGUMENT", f"shared memory region '{name}' has been cut off by its owner")
        return region

    def _leave(self, region: SharedRegion) -> None:
        if region.leaving and not region.uses:
            self._regions.pop(region.name, None)


def _invalid(name: str) -> SharedMemoryError:
    return SharedMemoryError("INVALID_ARGUMENT", f"failed to register shared memory region '{name}': invalid args")


def _map(name: str, key: str, end: int) -> mmap.mmap:
    """An object's bytes up to `end`."""
    try:
        if not key.strip("/") or "/" in key.strip("/"):
            raise OSError("no name of an object")
        descriptor = os.open(FOLDER / key.strip("/"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:  # a name with a zero in it
        raise SharedMemoryError("INTERNAL", f"Unable to open shared memory region: '{key}'") from error
    try:
        if not 0 < end <= os.fstat(descriptor).st_size:
            raise _invalid(name)
        return mmap.mmap(descriptor, end)
    finally:
        os.close(descriptor)


def location_of(tensor: Any) -> Location | None:
    """Where the bytes of a request's input or output are; None where they are in the message."""
    parameters: Mapping[str, Any] = tensor.parameters
    for name in ("shared_memory_offset", "shared_memory_byte_size"):
        if name in parameters and "shared_memory_region" not in parameters:
            message = (
                f"'{name}' can not be specified without 'shared_memory_region' parameter for tensor '{tensor.name}'"
            )
            raise SharedMemoryError("INVALID_ARGUMENT", message)
    if "shared_memory_region" not in parameters:
        return None
    if "shared_memory_byte_size" not in parameters:
        needs = "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter"
        raise SharedMemoryError("INVALID_ARGUMENT", f"{needs} for tensor '{tensor.name}'")
    offset = parameters["shared_memory_offset"].int64_param if "shared_memory_offset" in parameters else 0
    size = parameters["shared_memory_byte_size"].int64_param
    return Location(parameters["shared_memory_region"].string_param, offset, size)
