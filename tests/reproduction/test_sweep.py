"""Lines of a figure: what is simulated, and what is read off."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.figures.sweep import LEAST, Curve, Sweep, requests_of, spread
from eventbraid.studies.simulation import Study, sweep
from eventbraid.studies.simulation.published import facile, protodune

CLIENTS = (5, 20, 50, 100)


def study(clients: int) -> Study:
    return facile(1, clients, events=10)


@pytest.fixture(scope="module")
def curve() -> Curve:
    return Curve(sweep(study(1), CLIENTS))


def test_few_clients_have_more_events_each_so_that_every_point_has_enough() -> None:
    events = [each.clients * each.client.events for each in Sweep(study, CLIENTS, (5,)).studies()]
    assert events == [LEAST, LEAST, 500, 1000]


def test_a_quick_run_has_its_own_clients_and_few_events() -> None:
    (quick,) = Sweep(study, CLIENTS, (5,)).studies(quick=True)
    assert (quick.clients, quick.client.events) == (5, 2)


def test_the_plateau_is_the_rate_of_the_most_clients_and_a_point_is_found_by_its_clients(curve: Curve) -> None:
    assert curve.plateau == curve.at(100).events_per_second == max(curve.rates)
    with pytest.raises(ValueError, match="7 is not in"):
        curve.at(7)


def test_the_knee_is_where_the_module_s_time_begins_to_rise(curve: Curve) -> None:
    assert curve.knee(curve.modules(1)) == pytest.approx(50, rel=0.2)


def test_the_requests_of_a_study_are_those_of_all_modules_events_and_clients() -> None:
    assert requests_of(protodune(1693, 10, events=3)) == 10 * 3 * 32


def test_another_spread_leaves_all_else() -> None:
    before = partial(protodune, 1693, 10)()
    after = spread(before, 0.4)
    assert (after.client.spread, after.client.modules, after.servers) == (0.4, before.client.modules, before.servers)
