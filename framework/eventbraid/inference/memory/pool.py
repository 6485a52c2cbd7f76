"""Places for tensors, carved out of regions and used again.

A place is in use while an array lies on it or a request holds it. A request that ended without an answer may still be
at work on the server: its hold is given up with `abandon`, and then the whole region retires. It gives no more places,
its name goes when nothing uses it any more, and what the server still writes goes where nobody reads. Its bytes count
against the pool's limit until every server that was told of it has let go of it.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from math import prod
from time import monotonic
from typing import Any, Final
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventbraid.inference.memory.places import Place, Slab, Span, fitting, region_size, size_class
from eventbraid.inference.memory.regions import Region
from eventbraid.kserve.shared import FOLDER

__all__ = ["Pool"]

PAUSE: Final = 1.0
"""Seconds after the system refused a region, before it is asked again."""


class Pool:
    """Places in at most `limit` bytes of shared memory.

    Everything may be called from any thread; arrays are garbage in whatever thread, also within a call of the pool,
    so that only notes it for the next call.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.refusals: Counter[str] = Counter()
        """How often there was no place, by the reason."""
        self._lock = threading.RLock()
        self._growing = asyncio.Lock()
        self._slabs: dict[int, Slab] = {}
        self._addresses: list[int] = []
        self._free: dict[int, list[Place]] = {}
        """By size; the last one that was used is taken first, since its pages are in the caches."""
        self._garbage: deque[Place] = deque()
        """A place for each array that is gone."""
        self._known: dict[str, set[str]] = {}
        """The servers that have been told of a region."""
        self._dropped: dict[str, int] = {}
        """Bytes of regions that are gone here, and that a server still maps."""
        self._reserved = 0
        self._taken = 0
        self._again = 0.0
        self._closed = "" if FOLDER.is_dir() else f"this system has no {FOLDER}"

    def __repr__(self) -> str:
        return f"Pool({len(self._slabs)} regions, {self._reserved} of {self.limit} bytes)"

    @property
    def reserved(self) -> int:
        """Bytes of all regions, those included that are gone here and that a server still maps."""
        return self._reserved

    @property
    def has_dropped(self) -> bool:
        """True while a server maps regions that are gone here."""
        return bool(self._dropped)

    @property
    def in_use(self) -> int:
        """Places on which an array lies, or that a request holds."""
        with self._lock:
            self._collect()
            return sum(slab.busy for slab in self._slabs.values())

    def regions(self) -> list[Region]:
        """The regions that give places, or have places in use."""
        with self._lock:
            self._collect()
            return [slab.region for slab in self._slabs.values()]

    def empty(self, shape: int | Sequence[int], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """An array to be filled, in shared memory where there is a place and ordinary where there is none.

        Its place is free again when the array, its views and the requests with it are gone.
        """
        kind, sizes = np.dtype(dtype), (shape,) if isinstance(shape, int) else tuple(shape)
        nbytes = prod(sizes) * kind.itemsize
        place = self.take(nbytes) if nbytes and not kind.hasobject else None
        if place is None:
            return np.empty(sizes, kind)
        try:
            return self.array(place, kind, sizes, writeable=True)
        finally:
            self.release(place)

    def take(self, nbytes: int) -> Place | None:
        """A place that the caller holds; None where there is none, with the reason in `refusals`.

        A new region takes the system some 0.2 ms for each MB; `find` does that in a thread.
        """
        with self._lock:
            place = self._pop(nbytes)
            return self._pop(nbytes) if place is None and self._grow(nbytes) else place

    async def find(self, nbytes: int) -> Place | None:
        """The same, with new regions made in a thread and all of their pages mapped."""
        if (place := self._pop(nbytes)) is None:
            async with self._growing:  # one at a time: the next region may have places for all who wait
                while (place := self._pop(nbytes)) is None:
                    if not await asyncio.to_thread(self._grow, nbytes, touch=True):
                        return None
        return place

    def array(
        self, place: Place, dtype: DTypeLike, shape: Sequence[int], start: int = 0, *, writeable: bool = False
    ) -> NDArray[Any]:
        """A tensor on a place that is in use, `start` bytes from its begin; the place stays in use as long as it lives.

        Raises ValueError where it does not fit.
        """
        kind = np.dtype(dtype)
        nbytes = prod(shape) * kind.itemsize
        if not 0 <= start <= place.size - nbytes:
            raise ValueError(f"a tensor of {nbytes} bytes at {start} does not fit into a place of {place.size}")
        # All views of an array have this one for their base, however they were made.
        root = place.region.array(place.offset + start, nbytes, writeable=writeable)
        with self._lock:
            place.arrays += 1
        finalize(root, self._garbage.append, place).atexit = False
        return root.view(kind).reshape(shape)

    def span_of(self, array: NDArray[Any]) -> Span | None:
        """Where an array lies that is contiguous and wholly within a place; None for all others."""
        if not array.flags.c_contiguous or not array.nbytes:
            return None
        address: int = array.__array_interface__["data"][0]
        with self._lock:
            number = bisect_right(self._addresses, address) - 1
            if number < 0:
                return None
            slab = self._slabs[self._addresses[number]]
            index, start = divmod(address - slab.region.address, slab.size)
            if index >= len(slab.places) or start + array.nbytes > slab.size:
                return None
            return Span(slab.places[index], start, array.nbytes)

    def hold(self, place: Place) -> None:
        """Keep a place that is in use from being used for anything else, until `release` or `abandon`."""
        with self._lock:
            place.holds += 1

    def release(self, place: Place) -> None:
        """End a hold; what held it has ended."""
        with self._lock:
            place.holds -= 1
            self._settle(place)

    def abandon(self, place: Place) -> None:
        """End a hold of a request of which nobody knows whether the server is still at work on it."""
        with self._lock:
            slab = place.slab
            if not slab.retired:
                slab.retired = True
                self._free[slab.size] = [each for each in self._free.get(slab.size, ()) if each.slab is not slab]
            self.release(place)

    def told(self, region: str, server: str) -> None:
        """Note that a server maps a region, or may."""
        with self._lock:
            self._known.setdefault(region, set()).add(server)

    def let_go(self, region: str, server: str) -> None:
        """Note that a server does not map a region any more."""
        with self._lock:
            servers = self._known.get(region, set())
            servers.discard(server)
            if not servers:
                self._known.pop(region, None)
                self._reserved -= self._dropped.pop(region, 0)

    def known_to(self, server: str, *, dropped: bool = False) -> list[str]:
        """The regions that a server maps, all or those that are gone here."""
        with self._lock:
            self._collect()
            names = [name for name, servers in self._known.items() if server in servers]
            return [name for name in names if name in self._dropped] if dropped else names

    def close(self) -> None:
        """Remove all regions' names; arrays on them stay valid, and there are no more places."""
        with self._lock:
            self._closed = "the pool is closed"
            self._free.clear()
            for slab in list(self._slabs.values()):
                self._drop(slab)

    def _pop(self, nbytes: int) -> Place | None:
        """A free place, at most twice as large as need be."""
        with self._lock:
            self._collect()
            for size in fitting(size_class(nbytes)):
                if places := self._free.get(size):
                    place = places.pop()
                    self._taken += 1
                    place.holds = 1
                    place.slab.busy += 1
                    place.slab.used = self._taken
                    return place
        return None

    def _grow(self, nbytes: int, *, touch: bool = False) -> bool:
        """Add a region; false with the reason noted where there is no room."""
        size = size_class(nbytes)
        total = region_size(size, self.limit)
        with self._lock:
            if fault := self._closed or self._no_room(total):
                self.refusals[fault] += 1
                return False
            self._reserved += total
        try:
            region = Region(total)
            if touch:
                region.touch()
        except OSError as error:
            with self._lock:
                self._reserved -= total
                self._again = monotonic() + PAUSE
                full = error.errno == errno.ENOSPC
                self.refusals[f"{FOLDER} is full" if full else f"{FOLDER}: {error.strerror}"] += 1
            return False
        self._add(Slab(region, size))
        return True

    def _add(self, slab: Slab) -> None:
        with self._lock:
            self._slabs[slab.region.address] = slab
            self._addresses = sorted(self._slabs)
            if self._closed:  # while it was made
                self._drop(slab)
            else:
                self._free.setdefault(slab.size, []).extend(slab.places)

    def _no_room(self, size: int) -> str:
        """Why a region of that size cannot be made; where there is no room, those that nobody uses are removed."""
        if monotonic() < self._again:
            return f"{FOLDER} has refused a region"
        over = self._reserved - sum(self._dropped.values()) + size - self.limit
        idle = sorted((slab for slab in self._slabs.values() if not slab.busy), key=lambda slab: slab.used)
        if over <= sum(slab.region.size for slab in idle):
            for slab in idle:
                if over <= 0:
                    break
                over -= slab.region.size
                self._free[slab.size] = [each for each in self._free[slab.size] if each.slab is not slab]
                self._drop(slab)
        return f"the limit of {self.limit} bytes is reached" if self._reserved + size > self.limit else ""

    def _collect(self) -> None:
        """Take note of arrays that are garbage."""
        while self._garbage:
            place = self._garbage.popleft()
            place.arrays -= 1
            self._settle(place)

    def _settle(self, place: Place) -> None:
        slab = place.slab
        if place.holds or place.arrays or self._closed:
            return
        slab.busy -= 1
        if not slab.retired:
            self._free[slab.size].append(place)
        elif not slab.busy:
            self._drop(slab)

    def _drop(self, slab: Slab) -> None:
        """Remove a region; its memory stays mapped as long as arrays lie on it."""
        region = slab.region
        del self._slabs[region.address]
        self._addresses = sorted(self._slabs)
        slab.places.clear()
        region.unlink()
        if self._known.get(region.name):
            self._dropped[region.name] = region.size
        else:
            self._reserved -= region.size
