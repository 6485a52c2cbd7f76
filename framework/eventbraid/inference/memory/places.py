"""Places for tensors in regions: their sizes, and the regions that hold several of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from eventbraid.inference.memory.regions import PAGE, Region
from eventbraid.kserve.shared import Location

__all__ = ["Place", "Slab", "Span", "fitting", "region_size", "size_class"]

SLAB: Final = 4 << 20
"""Bytes of a region that holds several places; one that is larger has a region of its own."""


def size_class(nbytes: int) -> int:
    """The size of the place for so many bytes: from a page on, in steps of a quarter of a power of two."""
    step = 1 << max((nbytes - 1).bit_length() - 3, PAGE.bit_length() - 1)
    return max(-(-nbytes // step) * step, PAGE)


def fitting(size: int) -> Iterator[int]:
    """The sizes of places from one on to its double."""
    largest = 2 * size
    while size <= largest:
        yield size
        size = size_class(size + 1)


def region_size(size: int, limit: int) -> int:
    """The size of a region for places of that size: for several where they are small."""
    return max(min(SLAB, limit) // size, 1) * size


class Place:
    """Bytes of a region for one tensor at a time."""

    __slots__ = ("arrays", "holds", "offset", "slab")

    arrays: int
    """Arrays that lie on it."""
    holds: int
    """Requests that need it, and callers that have taken it."""

    def __init__(self, slab: Slab, offset: int) -> None:
        self.slab = slab
        self.offset = offset
        self.holds = self.arrays = 0

    def __repr__(self) -> str:
        return f"Place({self.slab.region.name} at {self.offset}, {self.arrays} arrays, {self.holds} holds)"

    @property
    def region(self) -> Region:
        """The region in which it lies."""
        return self.slab.region

    @property
    def size(self) -> int:
        """Its bytes, at least as many as were asked for."""
        return self.slab.size


class Span(NamedTuple):
    """The part of a place that a tensor takes."""

    place: Place
    start: int
    nbytes: int

    @property
    def location(self) -> Location:
        """The same for a server."""
        return Location(self.place.region.name, self.place.offset + self.start, self.nbytes)


class Slab:
    """A region and its places, all of one size."""

    def __init__(self, region: Region, size: int) -> None:
        self.region = region
        self.size = size
        self.places = [Place(self, offset) for offset in range(0, region.size - size + 1, size)]
        self.busy = 0
        self.retired = False
        self.used = 0
        """When a place of it was last taken, counted in places taken."""
