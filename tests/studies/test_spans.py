"""How long some spans lie in a window, and how many events clients have done there."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.studies.spans import events_within, overlap

times = st.floats(0, 100)


@st.composite
def events(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Of some clients that have some in flight: client, beginning, end."""
    found: list[tuple[int, float, float]] = []
    for client in range(draw(st.integers(1, 4))):
        ends = list(accumulate(draw(st.lists(st.floats(0, 10), min_size=1, max_size=9)), initial=5.0))
        found += [(client, end - draw(st.floats(0.01, 5)), end) for end in ends]
    clients, began, ended = zip(*draw(st.permutations(found)), strict=True)
    return np.array(clients), np.array(began), np.array(ended)


@given(events(), st.lists(times, min_size=3, max_size=3))
def test_windows_side_by_side_hold_what_the_one_of_both_holds(
    spans: tuple[np.ndarray, ...], edges: list[float]
) -> None:
    first, middle, last = sorted(edges)
    for measure, given_ in ((overlap, spans[1:]), (events_within, spans)):
        parts = [measure(*given_, start, end) for start, end in pairwise((first, middle, last))]
        assert sum(parts) == pytest.approx(measure(*given_, first, last), abs=1e-6)


@given(events())
def test_a_window_around_all_events_has_all_of_them_and_their_seconds(spans: tuple[np.ndarray, ...]) -> None:
    _, began, ended = spans
    assert events_within(*spans, -1.0, 1000.0) == pytest.approx(len(began))
    assert overlap(began, ended, -1.0, 1000.0) == pytest.approx((ended - began).sum())


def test_where_nothing_happened_there_are_no_events() -> None:
    nothing = np.array([])
    assert events_within(nothing.astype(np.int64), nothing, nothing, 0.0, 1.0) == 0


@given(st.floats(0.1, 3), st.floats(0.5, 3), st.integers(1, 9))
def test_clients_in_step_have_their_rate_in_any_window(cycle: float, length: float, clients: int) -> None:
    began = np.repeat(np.arange(40) * cycle, clients)
    found = events_within(np.tile(np.arange(clients), 40), began, began + cycle, 1.0, 1.0 + length)
    assert found == pytest.approx(clients * length / cycle)


def test_clients_at_random_have_their_rate_too() -> None:
    """The mean over windows of one second, each with five events: from first to last end they would be six."""
    edges = np.cumsum(np.random.default_rng(1).exponential(0.2, 5000))
    one = np.zeros(4999, np.int64)
    counts = [events_within(one, edges[:-1], edges[1:], start, start + 1.0) for start in range(10, 900)]
    assert np.mean(counts) == pytest.approx(5.0, rel=0.05)
