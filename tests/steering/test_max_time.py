"""A run that has so much time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steered import MODES, Gate, ended, steered

from eventbraid import ConfigurationError, Job
from eventbraid.sources import EmptySource


async def has_passed(seconds: float) -> None:
    """The time after which a run of less time has been stopped."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


@MODES
async def test_after_its_time_a_long_job_reads_no_more_and_ends_well(mode: Any) -> None:
    gate = Gate()
    gate.let_all()
    run, flights, task = steered(gate, mode, events=10**9, max_time=0.05)
    report = await ended(task)
    assert 0 < report.events.read == report.events.passed == flights.ended < 10**9
    assert (report.interrupted, run.reason) == (True, "0.05 s have passed")


@MODES
async def test_after_its_time_what_is_in_flight_still_ends(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode, events=10**9, max_time=0.15)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    await has_passed(0.2)
    assert run.reason == "0.15 s have passed"
    gate.let_all()
    report = await ended(task)
    assert (report.events.passed, flights.begun) == (most, most)


@MODES
async def test_after_its_time_a_held_job_ends(mode: Any) -> None:
    gate = Gate()
    gate.let_all()
    run, _, task = steered(gate, mode, events=10**9, max_time=0.01)
    run.hold()
    report = await ended(task)
    assert (report.events.read, report.interrupted) == (0, True)


@MODES
async def test_a_job_that_ends_in_time_is_not_interrupted(mode: Any) -> None:
    gate = Gate()
    gate.let_all()
    run, _, task = steered(gate, mode, max_time=60.0)
    report = await ended(task)
    assert (report.events.read, report.interrupted, run.reason) == (20, False, "")


@MODES
async def test_a_stop_before_the_time_keeps_its_reason(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, max_time=0.15)
    await gate.holds(1 if mode == "blocking" else 3)
    run.stop("enough")
    await has_passed(0.2)
    gate.let_all()
    await ended(task)
    assert run.reason == "enough"


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_no_time_at_all_is_refused(seconds: float) -> None:
    job = Job("t", source=EmptySource(events=1), modules={})
    with pytest.raises(ConfigurationError, match="max_time must be more than 0 seconds"):
        job.run(max_time=seconds)
