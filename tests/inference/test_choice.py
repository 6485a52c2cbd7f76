"""Which server gets a request."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.inference.pool.choice import cheaper, choose


@dataclass(frozen=True)
class One:
    name: str
    outstanding: int = 0
    latency: float = 0.0


SERVERS = st.lists(
    st.builds(One, st.sampled_from("abcdefgh"), st.integers(0, 50), st.sampled_from([0.0, 0.001, 0.5])),
    max_size=6,
    unique_by=lambda each: each.name,
)
NAMES = st.frozensets(st.sampled_from("abcdefgh"), max_size=6)
DRAWS = st.randoms(use_true_random=False).map(lambda source: source.randrange)
Draw = Callable[[int], int]


@given(SERVERS, NAMES, st.sampled_from(["", "a", "z"]), DRAWS)
def test_one_is_chosen_where_there_is_one(
    servers: list[One], avoid: frozenset[str], preferred: str, draw: Draw
) -> None:
    assert (choose(servers, draw, preferred=preferred, avoid=avoid) in servers) == bool(servers)


@given(SERVERS, NAMES, st.sampled_from(["", "a", "z"]), DRAWS)
def test_one_to_avoid_is_chosen_only_where_all_are(
    servers: list[One], avoid: frozenset[str], preferred: str, draw: Draw
) -> None:
    chosen = choose(servers, draw, preferred=preferred, avoid=avoid)
    if chosen is not None and chosen.name in avoid:
        assert avoid.issuperset(each.name for each in servers)


@given(SERVERS.filter(lambda servers: any(each.name == "a" for each in servers)), DRAWS)
def test_the_preferred_one_is_chosen_however_much_it_has_to_do(servers: list[One], draw: Draw) -> None:
    chosen = choose(servers, draw, preferred="a")
    assert chosen is not None
    assert chosen.name == "a"


def test_the_preferred_one_is_not_chosen_where_it_is_to_be_avoided() -> None:
    assert choose([One("a"), One("b")], lambda n: 0, preferred="a", avoid={"a"}) == One("b")


@given(st.integers(0, 3), st.integers(0, 2))
def test_two_different_ones_are_compared(first: int, step: int) -> None:
    servers = [One(name, outstanding=number) for number, name in enumerate("abcd")]
    draws = iter([first, step])
    second = (first + 1 + step) % 4
    assert choose(servers, lambda n: next(draws)) == servers[min(first, second)]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_equal_servers_are_chosen_equally_often(count: int) -> None:
    servers = [One(name) for name in "abcde"[:count]]
    draw = random.Random(1).randrange
    chosen = Counter(choose(servers, draw) for _ in range(3000))
    assert all(abs(times - 3000 / count) < 200 for times in chosen.values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (One("a", 2), One("b", 3)),
        (One("a", 2), One("b", 2)),
        (One("a", 2, 5.0), One("b", 3)),
        (One("a", 9, 0.001), One("b", 0, 1.0)),
        (One("a", 1, 0.5), One("b", 0, 1.5)),
        (One("a", 0, 1.0), One("b", 1, 0.5)),
    ],
)
def test_the_cheaper_one_would_let_the_request_wait_less(one: One, other: One) -> None:
    assert cheaper(one, other) is one


@given(SERVERS.filter(lambda servers: len(servers) >= 2))
def test_which_is_named_first_matters_only_between_equals(servers: list[One]) -> None:
    one, other = servers[:2]
    if cheaper(one, other) != cheaper(other, one):
        known = one.latency and other.latency
        costs = [(each.outstanding + 1) * each.latency if known else each.outstanding for each in (one, other)]
        assert costs[0] == costs[1]
