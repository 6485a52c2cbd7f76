"""What two papers published comes out of their setups: arXiv:2009.04509 (A) and arXiv:2007.10359 (B)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from eventbraid.studies.simulation import Knee, Study, knee_of, simulate, sweep
from eventbraid.studies.simulation.published import deepcalo, facile, hlt, protodune, protodune_scaling, resnet50


def knee(study: Study, clients: tuple[int, ...], module: int) -> Knee:
    """Of the time of one of the modules."""
    return knee_of(clients, [each.modules[module].mean for each in sweep(study, clients)])


@pytest.mark.parametrize(("gpus", "published"), [(1, 500), (4, 2000), pytest.param(8, 4000, marks=pytest.mark.slow)])
def test_the_plateau_of_facile_is_the_published_one(gpus: int, published: float) -> None:
    """B 5.2.1, Fig. 5."""
    result = simulate(facile(gpus, 150 * gpus, events=30))
    assert result.events_per_second == pytest.approx(published, rel=0.05)
    assert result.servers["v100"].busy == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("gpus", "published"), [(1, 25), (4, 85), (8, 170)])
def test_the_plateau_of_resnet50_is_the_published_one(gpus: int, published: float) -> None:
    """B 5.2.3, Fig. 7: 25 events a second, and some 85 % of so many more on four and eight GPUs."""
    assert simulate(resnet50(gpus, 20 * gpus)).events_per_second == pytest.approx(published, rel=0.05)


@pytest.mark.parametrize(("clients", "published"), [(200, 6), pytest.param(1000, 14, marks=pytest.mark.slow)])
def test_dynamic_batching_gains_as_much_as_published(clients: int, published: float) -> None:
    """B 5.3.1, Fig. 6."""
    alone = simulate(deepcalo(50, dynamic=False, events=60))  # loaded, as it is with more clients
    joined = simulate(deepcalo(clients, dynamic=True, events=30))
    assert joined.events_per_second / alone.events_per_second == pytest.approx(published, rel=0.2)


@pytest.mark.slow
def test_the_network_of_24_gpus_is_what_bounds_them() -> None:
    """B 5.2.1: 2,000 clients and 24 GPUs saw 70 Gb/s and more, where the GPUs would take 12,000 events/s, 92 Gb/s."""
    result = simulate(facile(24, 2000, events=6, bandwidth=70e9))
    assert result.events_per_second == pytest.approx(70e9 / (16_000 * 60 * 8), rel=0.03)
    assert result.servers["v100"].busy < 0.85


def test_one_gpu_has_room_for_as_many_triggers_as_published() -> None:
    """B 5.1, Fig. 3: the latency of the trigger grows above 300 clients of one GPU."""
    clients = (100, 200, 250, 300, 400, 500)
    events = [each.event.mean for each in sweep(hlt(1, events=20), clients)]
    assert knee_of(clients, events).clients == pytest.approx(300, rel=0.15)
    assert events[0] == pytest.approx(0.45, rel=0.01)  # 10 % below the 500 ms without FACILE


def test_the_module_s_time_is_that_of_eq_4_and_its_knee_the_published_one() -> None:
    """A 3.4, Fig. 5: with 1693 rows a request and 4 GPUs it is flat up to 270 clients."""
    clients = (50, 220, 320, 400)
    results = sweep(protodune(1693, 1, events=4), clients)
    times = [each.modules[1].mean for each in results]
    assert knee_of(clients, times).clients == pytest.approx(270, rel=0.1)
    for each, seconds in zip(results, times, strict=True):
        assert seconds == pytest.approx(protodune_scaling(1693).module(each.clients, 4), rel=0.12)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "published"), [(235, 190), (1693, 270)])
def test_the_knee_is_the_published_one_with_twenty_events_a_client(rows: Literal[235, 1693], published: float) -> None:
    """A 3.4, Fig. 5 (left)."""
    clients = (50, 150, 180, 220, 330, 400)
    assert knee(protodune(rows, 1), clients, 1).clients == pytest.approx(published, rel=0.1)


@pytest.mark.slow
def test_dynamic_batching_gains_little_for_large_requests() -> None:
    """A 3.4, Fig. 5 (right): the same with and without; Fig. 4: 31,500 rows/s and GPU with it."""
    alone, joined = (simulate(protodune(1693, 400, dynamic=dynamic, events=5)) for dynamic in (False, True))
    assert joined.event.mean == pytest.approx(alone.event.mean, rel=0.1)
    assert joined.servers["t4"].rows_per_second == pytest.approx(4 * 31_500, rel=0.05)


def test_eq_4_is_exact_where_clients_do_not_meet_and_where_the_gpus_are_saturated() -> None:
    """Without any spread: below the knee no client of a few waits, and above it all GPUs work without a pause."""
    study = protodune(1693, 1, events=4)
    exact = replace(study, client=replace(study.client, spread=0.0))
    scaling = protodune_scaling(1693)
    assert simulate(exact).modules[1].mean == pytest.approx(scaling.module(1, 4), rel=1e-6)
    saturated = simulate(replace(exact, clients=400), settle=0.5)
    assert saturated.event.mean == pytest.approx(scaling.event(400, 4), rel=0.03)
