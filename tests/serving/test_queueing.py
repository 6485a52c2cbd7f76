"""The requests that wait for a model: in what order, how many, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.kserve.config import parse_config
from eventbraid.serving.backends.base import Request
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.models.queueing import Queue, QueuePolicy


def request(priority: int = 0, since: float = 0.0, timeout: float = 0.0) -> Request:
    return Request({}, priority=priority, since=since, timeout=timeout)


def queue_of(text: str) -> Queue:
    return Queue.of(parse_config(f"dynamic_batching {{ {text} }}", "config.pbtxt"))


@given(st.lists(st.integers(0, 5)))
def test_the_highest_priority_comes_first_and_in_it_the_oldest(priorities: list[int]) -> None:
    queue = Queue({level: QueuePolicy() for level in (1, 2, 3)}, default=2)
    requests = [request(each) for each in priorities]
    for each in requests:
        queue.add(each)
    assert list(queue) == sorted(requests, key=lambda each: each.priority if 1 <= each.priority <= 3 else 2)


@given(st.lists(st.integers(1, 2), max_size=20), st.integers(1, 5))
def test_no_more_of_a_priority_wait_than_it_allows(priorities: list[int], most: int) -> None:
    queue = Queue({1: QueuePolicy(most=most), 2: QueuePolicy()})
    refused = 0
    for each in priorities:
        try:
            queue.add(request(each))
        except ModelFailure as error:
            assert (error.code, error.details) == ("UNAVAILABLE", "Exceeds maximum queue size")
            refused += 1
    assert refused == max(priorities.count(1) - most, 0)
    assert len(queue) == len(priorities) - refused


def test_what_has_waited_too_long_is_refused() -> None:
    queue = Queue({1: QueuePolicy(timeout=2.0)})
    old, new = request(since=0.0), request(since=1.0)
    queue.add(old)
    queue.add(new)
    assert queue.next_expiry() == 2.0
    assert queue.expire(1.9) == []
    assert queue.expire(2.0) == [old]
    assert list(queue) == [new]


def test_or_comes_after_all_others_of_its_priority_where_that_is_the_policy() -> None:
    queue = Queue({1: QueuePolicy(timeout=2.0, delay=True)})
    old, new = request(since=0.0), request(since=1.0)
    queue.add(old)
    queue.add(new)
    assert queue.expire(2.0) == []
    assert list(queue) == [new, old]
    assert queue.next_expiry() == 3.0


@pytest.mark.parametrize(
    ("policy", "own", "until"),
    [
        (QueuePolicy(), 1.0, 0.0),
        (QueuePolicy(timeout=2.0), 1.0, 12.0),
        (QueuePolicy(timeout=2.0, override=True), 1.0, 11.0),
        (QueuePolicy(timeout=2.0, override=True), 3.0, 12.0),
        (QueuePolicy(override=True), 3.0, 13.0),
    ],
)
def test_a_request_has_a_shorter_time_of_its_own_where_that_is_allowed(
    policy: QueuePolicy, own: float, until: float
) -> None:
    assert policy.until(request(since=10.0, timeout=own)) == until


def test_a_request_that_leaves_waits_no_more() -> None:
    queue = Queue()
    first, second = request(), request()
    queue.add(first)
    queue.add(second)
    queue.remove(first)
    queue.remove(first)
    assert list(queue) == [second]


def test_a_configuration_says_it_all() -> None:
    queue = queue_of(
        "priority_levels: 2 default_priority_level: 2 "
        "default_queue_policy { max_queue_size: 1 } "
        "priority_queue_policy { key: 1 value { timeout_action: DELAY default_timeout_microseconds: 500000 } }"
    )
    for each in (request(1), request(1), request()):
        queue.add(each)
    with pytest.raises(ModelFailure):
        queue.add(request(2))
    assert queue.expire(1.0) == []
    assert [each.priority for each in queue] == [1, 1, 0]


def test_a_model_without_batches_has_one_queue_without_bounds() -> None:
    assert not Queue.of(parse_config("", "config.pbtxt")).expires
