"""Where the time of an event goes, and when the clock says that others had the core."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from measured import asked, run_of

from eventbraid.studies import Point
from eventbraid.studies.comparison.eventtime import EventTime, ModuleTime, crowding, event_time, module_times

BLOCKING, BRAIDED = Point("blocking"), Point("async", 16)


def test_what_no_module_has_of_the_cpu_time_is_the_frameworks_and_the_rest_is_waiting() -> None:
    time = event_time([run_of(BLOCKING, events=100, seconds=2, cpu_seconds=1, modules=0.8)])
    assert time == EventTime(*map(pytest.approx, (0.008, 0, 0.002, 0.01)))


def test_models_that_are_computed_in_the_process_are_no_framework() -> None:
    here = asked(server="in this process", network=0.0, queue=None, compute=None) | {"latency": {"mean": 0.0015}}
    time = event_time([run_of(Point("local"), seconds=2, cpu_seconds=1, modules=0.8, models=[here])])
    assert (time.network, time.framework) == (pytest.approx(0.0015), pytest.approx(0.0005))


@given(st.floats(0.1, 100), st.floats(0.01, 200), st.floats(0, 300))
def test_the_parts_are_the_wall_time_or_the_cpu_time_where_that_is_more(
    seconds: float, cpu_seconds: float, modules: float
) -> None:
    run = run_of(BRAIDED, events=10, seconds=seconds, cpu_seconds=cpu_seconds, modules=modules)
    time = event_time([run])
    parts = (time.modules, time.network, time.framework, time.waiting)
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(max(seconds, cpu_seconds) / 10)


def test_the_times_of_modules_are_for_each_event_and_unused_modules_are_left_out() -> None:
    runs = [run_of(BLOCKING, modules=modules) for modules in (0.7, 0.8, 5.0)]
    assert module_times(runs) == {"jets": ModuleTime(*map(pytest.approx, (0.008, 0.0, 0.01)))}


def test_modules_that_have_the_core_for_longer_than_the_process_had_it_are_not_alone() -> None:
    crowded, alone = (run_of(BRAIDED, cpu_seconds=1, modules=modules) for modules in (1.5, 1.0))
    said = crowding({BLOCKING: [alone], BRAIDED: [crowded]})
    assert said.startswith("at 1 of 2 points modules had the core for longer by the clock than the process")
    assert "up to 1.5 times as long" in said
    assert crowding({BRAIDED: [alone]}) == ""
    assert crowded.efficiency == crowded.cpu_share == 0.5


def test_blocking_mode_has_no_such_clock() -> None:
    assert crowding({BLOCKING: [run_of(BLOCKING, cpu_seconds=1, modules=1.5)]}) == ""
