"""Places in shared memory: no two at once on the same bytes, none used again before its time, none lost."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from eventbraid.inference.memory import Place, Pool
from eventbraid.inference.memory.places import size_class
from eventbraid.kserve.shared import FOLDER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is used on Linux only")

LIMIT = 64 << 10


def address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


class Machine(RuleBasedStateMachine):
    """Arrays on places, requests that hold them, and servers that write into those they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(LIMIT)
        self.arrays: list[tuple[NDArray[np.uint8], int]] = []
        """Each filled with a number of its own."""
        self.holds: list[Place] = []
        self.late: list[NDArray[np.uint8]] = []
        """What servers still write into; they have mappings of their own."""
        self.number = 0

    @rule(nbytes=st.integers(1, 20_000))
    def make(self, nbytes: int) -> None:
        array = self.pool.empty(nbytes, np.uint8)
        self.number = self.number % 255 + 1
        array[:] = self.number
        self.arrays.append((array, self.number))

    @precondition(lambda self: self.arrays)
    @rule(data=st.data())
    def view(self, data: st.DataObject) -> None:
        array, number = self.arrays[data.draw(st.integers(0, len(self.arrays) - 1))]
        start = data.draw(st.integers(0, len(array) - 1))
        self.arrays.append((array[start:], number))

    @precondition(lambda self: self.arrays)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.arrays.pop(data.draw(st.integers(0, len(self.arrays) - 1)))

    @precondition(lambda self: self.arrays)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        array, _ = self.arrays[data.draw(st.integers(0, len(self.arrays) - 1))]
        span = self.pool.span_of(array)
        if span is not None:
            assert (span.nbytes, address(array)) == (
                array.nbytes,
                span.place.region.address + span.place.offset + span.start,
            )
            self.pool.hold(span.place)
            self.holds.append(span.place)

    @rule(nbytes=st.integers(1, 20_000))
    def take(self, nbytes: int) -> None:
        if (place := self.pool.take(nbytes)) is not None:
            assert place.size >= nbytes
            self.holds.append(place)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        place = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        if not place.arrays and place.holds == 1:
            self.number = self.number % 255 + 1
            place.region.array(place.offset, place.size)[:] = self.number  # the server's answer
            self.arrays.append((self.pool.array(place, np.uint8, (place.size,)), self.number))
        self.pool.release(place)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        place = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        if not place.arrays and place.holds == 1:
            self.late.append(place.region.array(place.offset, place.size))
        self.pool.told(place.region.name, "server")
        self.pool.abandon(place)

    @rule()
    def tidy(self) -> None:
        for name in self.pool.known_to("server", dropped=True):
            self.pool.let_go(name, "server")

    @invariant()
    def nobody_sees_what_another_writes(self) -> None:
        for array in self.late:
            array[:] = 0
        for array, number in self.arrays:
            assert (array == number).all()

    @invariant()
    def places_held_are_apart(self) -> None:
        held = {id(place): place for place in self.holds}.values()
        spans = sorted((place.region.address + place.offset, place.size) for place in held)
        for (start, size), (following, _) in pairwise(spans):
            assert start + size <= following

    @invariant()
    def no_more_is_reserved_than_allowed(self) -> None:
        assert sum(region.size for region in self.pool.regions()) <= self.pool.reserved <= LIMIT
        assert {region.name for region in self.pool.regions()} <= {path.name for path in FOLDER.iterdir()}

    def teardown(self) -> None:
        self.late.clear()
        self.arrays.clear()
        while self.holds:
            self.pool.release(self.holds.pop())
        self.tidy()
        names = [region.name for region in self.pool.regions()]
        assert self.pool.in_use == 0
        assert self.pool.reserved == sum(region.size for region in self.pool.regions())
        self.pool.close()
        assert self.pool.reserved == 0
        assert not any((FOLDER / name).exists() for name in names)


Machine.TestCase.settings = settings(stateful_step_count=40)
TestPlaces = Machine.TestCase


@pytest.fixture
def pool() -> Any:
    made = Pool(16 << 20)
    yield made
    made.close()


@given(st.integers(1, 1 << 40))
def test_a_place_has_room_and_wastes_less_than_a_quarter_or_a_page(nbytes: int) -> None:
    size = size_class(nbytes)
    assert nbytes <= size < nbytes * 1.25 + 4096
    assert size % 4096 == 0
    assert size_class(size) == size


def test_a_place_is_used_again_when_its_array_is_gone(pool: Pool) -> None:
    array = pool.empty((100, 15))
    first = address(array)
    del array
    assert address(pool.empty((100, 15))) == first


def test_views_of_views_keep_a_place(pool: Pool) -> None:
    view = pool.empty((100, 16))[10:].reshape(-1, 4)[::2].T
    other = memoryview(view)
    del view
    assert pool.in_use == 1
    del other
    assert pool.in_use == 0


def test_arrays_of_a_subclass_keep_a_place(pool: Pool) -> None:
    class Momenta(np.ndarray[Any, Any]):
        pass

    momenta = pool.empty(1000).view(Momenta)[5:]
    assert pool.in_use == 1
    del momenta
    assert pool.in_use == 0


def test_arrays_in_a_circle_are_found_by_the_garbage_collector(pool: Pool) -> None:
    circle: list[Any] = [pool.empty(1000)]
    circle.append(circle)
    del circle
    gc.collect()
    assert pool.in_use == 0


def test_rows_in_the_middle_are_recognised_with_their_offset(pool: Pool) -> None:
    array = pool.empty((100, 16))
    span = pool.span_of(array[25:75])
    assert span is not None
    assert (span.start, span.nbytes) == (25 * 64, 50 * 64)
    assert span.location == (span.place.region.name, span.place.offset + 25 * 64, 50 * 64)


@pytest.mark.parametrize("part", [lambda a: a[:, :3], lambda a: a.T, lambda a: a[::2], lambda a: a[:0], np.copy])
def test_what_is_not_contiguous_or_lies_elsewhere_has_no_place(pool: Pool, part: Any) -> None:
    assert pool.span_of(part(pool.empty((100, 16)))) is None


def test_an_answer_cannot_be_written_to(pool: Pool) -> None:
    place = pool.take(400)
    assert place is not None
    array = pool.array(place, np.float32, (100,))
    pool.release(place)
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        array.flags.writeable = True


def test_a_tensor_that_is_larger_than_its_place_is_refused(pool: Pool) -> None:
    place = pool.take(4000)
    assert place is not None
    with pytest.raises(ValueError, match="a tensor of 8000 bytes at 0 does not fit into a place of 4096"):
        pool.array(place, np.float64, (1000,))
    pool.release(place)


def test_arrays_outlive_the_pool(pool: Pool) -> None:
    array = pool.empty(1000)
    array[:] = 3
    pool.close()
    assert array.sum() == 3000


def test_a_closed_pool_gives_ordinary_arrays(pool: Pool) -> None:
    pool.close()
    assert pool.span_of(pool.empty(1000)) is None
    assert pool.refusals == {"the pool is closed": 1}


def test_beyond_its_limit_a_pool_gives_ordinary_arrays_and_says_why() -> None:
    pool = Pool(1 << 20)
    arrays = [pool.empty(1 << 19, np.uint8) for _ in range(3)]
    assert [pool.span_of(array) is None for array in arrays] == [False, False, True]
    assert pool.refusals == {"the limit of 1048576 bytes is reached": 1}
    pool.close()


def test_where_the_system_has_no_memory_there_are_ordinary_arrays_and_a_reason() -> None:
    pool = Pool(1 << 60)
    assert pool.take(1 << 50) is None
    assert pool.refusals == {f"{FOLDER} is full": 1}
    assert pool.reserved == 0
    pool.close()


def test_regions_that_nobody_uses_make_way_for_others() -> None:
    pool = Pool(1 << 20)
    small = [pool.empty(1 << 18, np.uint8) for _ in range(4)]
    assert pool.span_of(pool.empty(1 << 20, np.uint8)) is None
    small.clear()
    assert pool.span_of(pool.empty(1 << 20, np.uint8)) is not None
    pool.close()


def test_an_abandoned_place_is_never_given_again(pool: Pool) -> None:
    place = pool.take(1 << 22)
    assert place is not None
    name = place.region.name
    pool.abandon(place)
    assert not (FOLDER / name).exists()
    following = pool.take(1 << 22)
    assert following is not None
    assert following.region.name != name
    pool.release(following)


def test_a_retired_region_stays_as_long_as_something_of_it_is_used(pool: Pool) -> None:
    array = pool.empty(1000)
    place = pool.take(4000)
    assert place is not None
    name = place.region.name
    pool.abandon(place)
    assert (FOLDER / name).exists()
    span = pool.span_of(array)
    assert span is not None
    assert span.place.region.name == name
    del array, span
    assert pool.regions() == []
    assert not (FOLDER / name).exists()


def test_memory_that_a_server_still_maps_counts_until_it_lets_go(pool: Pool) -> None:
    place = pool.take(1 << 22)
    assert place is not None
    name = place.region.name
    for server in ("a", "b"):
        pool.told(name, server)
    pool.abandon(place)
    pool.let_go(name, "a")
    assert pool.reserved == 1 << 22
    pool.let_go(name, "b")
    assert pool.reserved == 0


async def test_places_found_at_the_same_time_are_different_ones(pool: Pool) -> None:
    places = await asyncio.gather(*(pool.find(1 << 20) for _ in range(12)))
    found = [place for place in places if place is not None]
    assert len({(place.region.name, place.offset) for place in found}) == len(found) == 12
    for place in found:
        pool.release(place)


def test_threads_get_places_of_their_own(pool: Pool) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(300):
            array = pool.empty(5000, np.uint8)
            array[:] = number
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert pool.in_use == 0
