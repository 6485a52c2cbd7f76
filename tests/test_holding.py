"""A run that is held, resumed and stopped from outside, in both modes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from eventbraid import Analyzer, Event, EventID, Job
from eventbraid.report import Report
from eventbraid.running import Run
from eventbraid.services import Listener
from eventbraid.sources import EmptySource

MODES = pytest.mark.parametrize("mode", ["async", "blocking"])


class Look(Analyzer):
    async def analyze(self, event: Event) -> None:
        await asyncio.sleep(0)


class At(Listener):
    """Does something when an event begins, and tells when nothing is in flight any more."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.number, self.act = number, act
        self.in_flight = 0
        self.idle = asyncio.Event()

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self.in_flight += 1
        if number == self.number:
            self.act()

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.in_flight -= 1
        if number >= self.number and not self.in_flight:
            self.idle.set()


def started(mode: Any, act: Callable[[Run], object]) -> tuple[Run, At, asyncio.Task[Report]]:
    """A run of 20 events in sections of 6, at whose fourth event something is done."""
    job = Job("t", source=EmptySource(events=20, per_lumi=6), modules={"look": Look()}, streams=2)
    listener = At(3, lambda: act(run) and None)
    run = Run(job, mode, listeners=[listener], say=lambda line: None)
    return run, listener, asyncio.create_task(run.run())


@MODES
async def test_a_held_run_finishes_what_is_in_flight_and_reads_on_when_resumed(mode: Any) -> None:
    run, listener, task = started(mode, Run.hold)
    await listener.idle.wait()
    assert run.held
    assert 4 <= run.ledger.read < 20
    run.resume()
    assert (await task).events.read == 20


@MODES
async def test_a_stop_ends_a_held_run(mode: Any) -> None:
    run, listener, task = started(mode, Run.hold)
    await listener.idle.wait()
    assert run.stop("enough")
    report = await task
    assert not run.held
    assert report.interrupted
    assert 4 <= report.events.read < 20


@MODES
async def test_a_run_can_be_stopped_at_the_end_of_its_luminosity_section(mode: Any) -> None:
    _, _, task = started(mode, lambda run: run.stop("enough", after_lumi=True))
    assert (await task).events.read == 6


@MODES
async def test_a_run_that_is_stopping_can_still_be_cancelled(mode: Any) -> None:
    run, _, task = started(mode, lambda run: run.stop("enough") and run.stop("now", cancel=True))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.reason == "enough"
