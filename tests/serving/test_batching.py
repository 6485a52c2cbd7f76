"""Which requests are executed together, and that each gets its own part of the answer."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.serving.batching import Policy, Waiting, take

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def waiting(sizes: list[int], width: int = 3) -> list[Waiting]:
    loop = asyncio.new_event_loop()
    try:
        made = [np.full((size, width), n, np.float32) for n, size in enumerate(sizes)]
        return [Waiting({"x": array}, array.shape[0], loop.create_future()) for array in made]
    finally:
        loop.close()


@given(SIZES, st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_a_batch_is_a_head_of_the_queue_within_the_bound(
    sizes: list[int], most: int, delay: float, waited: float
) -> None:
    count = take(waiting(sizes), Policy(most, (), delay), waited)
    assert 0 <= count <= len(sizes)
    assert count <= 1 or sum(sizes[:count]) <= most
    if waited >= delay:
        assert count > 0
        assert count == len(sizes) or sum(sizes[: count + 1]) > most


@given(SIZES, st.integers(1, 30))
def test_nobody_waits_once_the_batch_cannot_grow(sizes: list[int], most: int) -> None:
    if sum(sizes) >= most:
        assert take(waiting(sizes), Policy(most, (), 10.0), 0.0) > 0


def test_a_preferred_size_is_executed_at_once() -> None:
    assert take(waiting([2, 2, 1]), Policy(64, (4,), 10.0), 0.0) == 2
    assert take(waiting([2, 1]), Policy(64, (4,), 10.0), 0.0) == 0


def test_requests_of_other_shapes_are_not_put_together() -> None:
    assert take([*waiting([2]), *waiting([2], width=4)], Policy(64), 1.0) == 1


def test_a_model_without_batches_executes_each_request_alone() -> None:
    assert take(waiting([0, 0, 1]), Policy(0, (), 10.0), 0.0) == 1


def test_an_empty_queue_gives_no_batch() -> None:
    assert take([], Policy(4), 1.0) == 0
