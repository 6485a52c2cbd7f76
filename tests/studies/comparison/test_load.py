"""How busy a server was, whether it was at its limit, and what it could do at most."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from measured import asked, run_of

from eventbraid.studies import Point
from eventbraid.studies.comparison.load import loads, plateau, saturation

HERE = Point("async", 16)
KEY = ("facile", "gpu1:8001")


def test_the_executions_at_any_time_are_their_rate_times_their_time() -> None:
    load = loads([run_of(HERE, seconds=2, models=[asked(requests=100, executions=25, compute=0.04)])])[KEY]
    assert load.busy == pytest.approx(25 / 2 * 0.04)
    assert load.batch == 4
    assert load.requests_an_event == 1
    assert load.requests_per_second == 50


def test_a_load_is_the_median_of_the_runs() -> None:
    runs = [run_of(HERE, models=[asked(compute=compute)]) for compute in (0.001, 0.009, 0.002)]
    assert loads(runs)[KEY].server_compute == 0.002


def test_a_server_without_statistics_has_no_load() -> None:
    assert loads([run_of(HERE, models=[asked(queue=None, compute=None)])]) == {}
    assert loads([run_of(HERE)]) == {}


@pytest.mark.parametrize(
    ("compute", "queue", "client_queue", "busy", "saturated"),
    [
        (0.019, 0.03, 0.0, 0, True),  # always at work, and requests wait on it
        (0.019, 0.0, 0.03, 0, True),  # or in the client, which does not send more than helps
        (0.019, 0.001, 0.0, 0, False),  # always at work, and nobody waits: as much as it can, and no more
        (0.005, 0.03, 0.0, 0, False),  # requests wait for their batch, on a server that idles
        (0.005, 0.0, 0.0, 3, True),  # it said so itself
    ],
)
def test_a_server_is_saturated_where_it_never_rests_and_requests_wait_or_are_refused(
    compute: float, queue: float, client_queue: float, busy: int, saturated: bool
) -> None:
    models = [asked(compute=compute, queue=queue, client_queue=client_queue, busy=busy)]
    load = loads([run_of(HERE, seconds=2, models=models)])[KEY]
    assert load.saturated is saturated
    assert bool(saturation("async", KEY, load)) is saturated


def test_a_saturated_server_is_named_with_its_rate_and_the_wait() -> None:
    load = loads([run_of(HERE, seconds=2, models=[asked(compute=0.019, queue=0.03)])])[KEY]
    assert saturation(HERE.name, KEY, load) == (
        "async, 16 in flight: gpu1:8001, model 'facile', is saturated at 50.0 requests/s: always at work (95%), "
        "a request waits 30.0 ms for 19.0 ms"
    )


def test_the_plateau_is_the_rate_over_the_share_of_time_at_work() -> None:
    half_busy = loads([run_of(HERE, seconds=2, models=[asked(compute=0.01)])])
    assert plateau([half_busy]) == pytest.approx(100)


def test_the_plateau_is_told_by_the_busiest_point() -> None:
    idle = loads([run_of(HERE, seconds=10, models=[asked(compute=0.005)])])
    busy = loads([run_of(HERE, seconds=1, models=[asked(compute=0.01)])])
    assert plateau([idle, busy]) == pytest.approx(100)


def test_instances_that_were_at_work_at_once_count() -> None:
    assert plateau([loads([run_of(HERE, seconds=1, models=[asked(compute=0.025)])])]) == pytest.approx(100 / 2.5 * 3)


def test_servers_of_a_model_add_up_and_the_slowest_model_counts() -> None:
    two = [asked(compute=0.01, requests=50, executions=50, server=server) for server in ("a:1", "b:1")]
    slow = asked(model="deepcalo", compute=0.016)
    assert plateau([loads([run_of(HERE, models=two)])]) == pytest.approx(200)
    assert plateau([loads([run_of(HERE, models=[*two, slow])])]) == pytest.approx(62.5)


def test_two_requests_an_event_halve_the_events_of_a_plateau() -> None:
    models = [asked(compute=0.005, requests=200, executions=200)]
    assert plateau([loads([run_of(HERE, models=models)])]) == pytest.approx(100)


def test_an_idle_server_tells_no_plateau() -> None:
    assert plateau([loads([run_of(HERE, models=[asked(compute=1e-6)])])]) is None
    assert plateau([]) is None
