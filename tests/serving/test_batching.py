"""Which requests are executed together, and that each gets its own part of the answer."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.serving.backends.base import Request
from eventbraid.serving.embedded.models.batching import Batching, take

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def waiting(sizes: list[int], width: int = 3, since: float = 0.0) -> list[Request]:
    return [Request({"x": np.full((size, width), n, np.float32)}, size, since=since) for n, size in enumerate(sizes)]


def count(requests: list[Request], batching: Batching, now: float) -> int:
    """How many are executed, which are the first ones."""
    taken = take(requests, batching, now)
    assert taken == requests[: len(taken)]
    return len(taken)


@given(SIZES, st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_a_batch_is_a_head_of_the_queue_within_the_bound(
    sizes: list[int], most: int, delay: float, waited: float
) -> None:
    taken = count(waiting(sizes), Batching(most, (), delay), waited)
    assert 0 <= taken <= len(sizes)
    assert taken <= 1 or sum(sizes[:taken]) <= most
    if waited >= delay:
        assert taken > 0
        assert taken == len(sizes) or sum(sizes[: taken + 1]) > most


@given(SIZES, st.integers(1, 30))
def test_nobody_waits_once_the_batch_cannot_grow(sizes: list[int], most: int) -> None:
    if sum(sizes) >= most:
        assert count(waiting(sizes), Batching(most, (), 10.0), 0.0) > 0


def test_a_preferred_size_is_executed_at_once() -> None:
    assert count(waiting([2, 2, 1]), Batching(64, (4,), 10.0), 0.0) == 2
    assert count(waiting([2, 1]), Batching(64, (4,), 10.0), 0.0) == 0


def test_requests_of_other_shapes_are_not_put_together() -> None:
    assert count([*waiting([2]), *waiting([2], width=4)], Batching(64), 1.0) == 1


def test_a_model_without_batches_executes_each_request_alone() -> None:
    assert count(waiting([0, 0, 1]), Batching(0, (), 10.0), 0.0) == 1


def test_an_empty_queue_gives_no_batch() -> None:
    assert count([], Batching(4), 1.0) == 0


def test_a_request_of_a_lower_priority_may_have_waited_longer() -> None:
    late, early = waiting([1], since=5.0), waiting([1], since=1.0)
    assert count([*late, *early], Batching(4, (), 4.0), 5.0) == 2
