"""How much a server is given at once, against servers that exist in virtual time alone."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from simulated import Client, Kind, best

from eventbraid.inference.pool.limits import AdaptiveLimit, Slots
from eventbraid.inference.pool.throughput import rate_of

NEAR = Kind("one instance, near", 1e-3)
FAR = Kind("5 ms, 100 ms away", 5e-3, network=0.1)
BATCHING = Kind("batching to 64, near", 2e-3, 2e-5, most=64, network=3e-4)
KINDS = (
    NEAR,
    FAR,
    BATCHING,
    Kind("one slow instance", 0.6, network=1e-3),
    Kind("1 ms, 100 ms away", 1e-3, network=0.1),
    Kind("4 instances, near", 4e-3, instances=4, network=4e-4),
    Kind("16 instances, 20 ms away", 10e-3, instances=16, network=2e-2),
    Kind("batching to 512, near", 5e-3, 2e-5, most=512, network=3e-4),
    Kind("batching to 64, 100 ms away", 2e-3, 1e-4, most=64, network=0.1),
    Kind("batching to 8, 2 instances", 5e-3, 1e-3, most=8, instances=2, network=1e-3),
    replace(NEAR, name="one instance, near, noisy", noise=0.3),
    replace(FAR, name="5 ms, 100 ms away, noisy", noise=0.3),
    replace(BATCHING, name="batching to 64, near, noisy", noise=0.3),
)


def run(kind: Kind, seconds: float) -> tuple[Client, AdaptiveLimit]:
    limit = AdaptiveLimit()
    client = Client(kind, limit)
    client.run(seconds)
    return client, limit


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_limit_comes_to_where_the_throughput_stops_growing(kind: Kind) -> None:
    needed, most = best(kind)
    settled = 60 if most < 10 else 10 if most < 10_000 else 4
    client, limit = run(kind, 2 * settled)
    assert limit.chosen is not None
    assert limit.chosen.seconds <= settled
    assert limit.chosen.limit <= 2 * needed
    assert client.throughput(settled, 2 * settled) >= 0.95 * most
    assert client.throughput(0, settled) >= 0.7 * most


@given(st.floats(1e-3, 1), st.integers(1, 4), st.floats(1e-4, 0.2), st.floats(0, 0.5), st.integers(1, 32))
def test_the_limit_is_never_below_one_nor_above_the_most(
    first: float, instances: int, network: float, noise: float, queue: int
) -> None:
    kind = Kind("any", first, instances=instances, network=network, noise=noise)
    client = Client(kind, AdaptiveLimit(most=40), queue=queue)
    client.run(100 * (first + network))
    assert all(1 <= limit <= 40 for _, limit in client.limits)


def test_one_slow_answer_changes_little() -> None:
    limit = AdaptiveLimit()
    client = Client(FAR, limit, slow=lambda number: 8.0 if number == 2000 else 0.0)
    client.run(10)
    before = limit.limit
    client.run(40)
    assert client.throughput(12, 40) >= 0.9 * client.throughput(6, 10)
    assert before / 2 <= limit.limit <= 2 * before


@pytest.mark.parametrize("factor", [4, 0.25])
def test_it_finds_the_limit_anew_when_the_server_changes(factor: float) -> None:
    client, limit = run(FAR, 20)
    client.kind = replace(FAR, first=FAR.first / factor)
    client.run(60)
    needed, most = best(client.kind)
    assert client.throughput(40, 60) >= 0.95 * most
    assert limit.limit <= 2 * needed


def test_it_does_not_grow_while_nobody_asks_for_more() -> None:
    limit = AdaptiveLimit()
    client = Client(FAR, limit, demand=lambda now: 10)
    client.run(30)
    assert client.limits == [(0.0, 16)]
    assert limit.chosen is None


def test_it_grows_when_the_demand_comes_back() -> None:
    client = Client(Kind("far", 1e-3, network=0.1), AdaptiveLimit(), demand=lambda now: 10 if now < 20 else math.inf)
    client.run(30)
    assert client.throughput(25, 30) >= 900


def test_a_busy_server_gets_less_at_once_and_once_for_all_that_were_in_flight() -> None:
    limit = AdaptiveLimit()
    for _ in range(16):
        limit.sent(0.0)
    for _ in range(8):
        limit.busy(0.1, 0.1)
    assert limit.limit == 11
    limit.sent(0.2)
    limit.busy(0.3, 0.1)
    assert limit.limit == 7


def test_a_server_with_a_short_queue_refuses_little_in_the_end() -> None:
    client = Client(Kind("short queue", 1e-3, network=0.02), AdaptiveLimit(), queue=8)
    client.run(20)
    refused = client.refused
    client.run(60)
    assert client.throughput(20, 60) >= 900
    assert client.refused - refused < 0.05 * 40 * 1000


def test_it_tells_what_it_tried_and_chose() -> None:
    _, limit = run(NEAR, 3)
    assert [step.limit for step in limit.history][:5] == [16, 8, 4, 2, 1]
    assert str(limit.chosen) == "2 requests at once, after 0.3 s"


def test_requests_that_got_no_answer_count_for_nothing() -> None:
    limit = AdaptiveLimit()
    for n in range(1000):
        limit.sent(n * 1e-2)
        limit.ended(n * 1e-2 + 5e-3, 5e-3, ok=False)
    assert not limit.history
    assert limit.limit == 16


def test_the_error_of_a_throughput_is_that_of_its_rounds() -> None:
    draw = random.Random(1)
    means = [rate_of([(10, draw.gauss(1, 0.1)) for _ in range(25)]) for _ in range(400)]
    assert sum(rate.value for rate in means) / 400 == pytest.approx(10, rel=0.01)
    spread = math.sqrt(sum((rate.value - 10) ** 2 for rate in means) / 400)
    assert sum(rate.error for rate in means) / 400 == pytest.approx(spread, rel=0.1)
    assert spread == pytest.approx(0.2, rel=0.1)


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 8), st.integers(0, 150))
def test_slots_are_never_overdrawn_but_by_one_request_alone(sizes: list[int], most: int, most_bytes: int) -> None:
    slots, held = Slots(most, most_bytes), list[int]()
    for size in sizes:
        while not slots.free(size):
            slots.give(held.pop(0))
        slots.take(size)
        held.append(size)
        assert (slots.requests, slots.bytes) == (len(held), sum(held))
        assert len(held) == 1 or (len(held) <= most and sum(held) <= most_bytes)
