"""Which requests are executed together, and that each gets its own part of the answer."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.serving.batching import Policy, Waiting, join, rows, split, take

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


def test_an_answer_that_has_not_a_row_for_each_row_is_an_error_alone_and_with_others() -> None:
    for sizes in ([3], [1, 2]):
        with pytest.raises(ValueError, match=r"output 'y' has shape \[2, 1\] for a batch of 3"):
            split({"y": np.zeros((2, 1))}, sizes)


def test_rows_of_single_numbers_are_one() -> None:
    assert rows({"x": np.array(3.0)}) == 1


def test_an_empty_queue_gives_no_batch() -> None:
    assert take([], Policy(4), 1.0) == 0


@given(SIZES)
def test_split_takes_apart_what_join_put_together(sizes: list[int]) -> None:
    requests = [each.inputs for each in waiting(sizes)]
    parts = split(join(requests), [rows(each) for each in requests])
    for part, request in zip(parts, requests, strict=True):
        assert np.array_equal(part["x"], request["x"])
