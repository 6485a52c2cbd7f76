"""Jobs that are stopped or cancelled while work is away."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from giving_up import BAD, BOUNDS, HANGS, MODES, ONE_LOOP, Away, Log, Step, job, never, run_of, xs

from eventbraid import Analyzer, EventID, Job, Report, Section, running
from eventbraid.testing import ListSource


async def is_cancelled(task: asyncio.Task[Report]) -> bool:
    """True when a job has ended, or ends now, because it was cancelled."""
    await asyncio.wait([task], timeout=HANGS)
    assert task.done(), "the job hangs"
    return task.cancelled()


@MODES
async def test_a_job_that_is_stopped_while_work_is_away_finishes_what_is_in_flight(mode: Any) -> None:
    log, go_on = Log(), threading.Event()
    begun: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def waits(log: Log, x: int) -> None:
        loop.call_soon_threadsafe(begun.put_nowait, x)
        await asyncio.to_thread(go_on.wait, HANGS)

    class Own(Away):
        async def external_work(self, acquired: int) -> int:  # in "threads" mode on another loop
            await self.act(self.log, acquired)
            return acquired

    made, output = job({"away": Own(log, waits)}, 50, streams=3)
    run, task = await run_of(made, mode)
    in_flight = 1 if mode == "blocking" else 3
    async with asyncio.timeout(HANGS):
        assert sorted([await begun.get() for _ in range(in_flight)]) == [*range(in_flight)]
        assert run.in_flight == in_flight
        assert run.stop("enough")
        assert not run.stop("once more")
        go_on.set()
        report = await task
    assert report.interrupted
    assert (report.events.passed, xs(output), output.closed) == (in_flight, [*range(in_flight)], True)


@ONE_LOOP
async def test_a_stop_that_cancels_ends_what_is_in_flight_and_discards_the_outputs(mode: Any) -> None:
    log = Log()
    made, output = job({"away": Away(log, never)}, 9, streams=3)
    run, task = await run_of(made, mode)
    last = 0 if mode == "blocking" else 2
    async with asyncio.timeout(HANGS):
        await log.has("begins", last)
        assert run.stop("now", cancel=True)
        assert await is_cancelled(task)
    assert sorted(log.of("cancelled")) == [*range(last + 1)]
    assert (output.discarded, output.closed) == (True, False)


@ONE_LOOP
async def test_a_stop_may_cancel_after_one_that_did_not(mode: Any) -> None:
    log = Log()
    made, output = job({"away": Away(log, never)}, 9, streams=3)
    run, task = await run_of(made, mode)
    async with asyncio.timeout(HANGS):
        await log.has("begins", 0 if mode == "blocking" else 2)
        assert run.stop("enough")
        await asyncio.sleep(0)
        assert not task.done()
        assert not run.stop("now", cancel=True)
        assert await is_cancelled(task)
    assert output.discarded


@ONE_LOOP
async def test_a_cancelled_job_awaits_what_its_work_still_does_and_ends_every_module(mode: Any) -> None:
    class Ended(Away):
        def end_job(self) -> None:
            self.log.note("end_job", 0)

    async def cleans_up(log: Log, x: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            log.note("cleaned up", x)

    log = Log()
    made, _ = job({"away": Ended(log, cleans_up)}, 4, streams=4)
    _, task = await run_of(made, mode)
    last = 0 if mode == "blocking" else 3
    async with asyncio.timeout(HANGS):
        await log.has("begins", last)
        task.cancel()
        assert await is_cancelled(task)
    assert sorted(log.of("cleaned up")) == [*range(last + 1)]
    assert log.lines[-1] == ("end_job", 0)


@BOUNDS
async def test_a_cancelled_job_leaves_nobody_in_a_queue(bound: Any) -> None:
    log = Log()

    async def holds(log: Log, x: int) -> None:
        log.note("takes", x)
        await asyncio.Event().wait()

    made, output = job({"queued": type("Bound", (Step,), bound)(log, holds)}, 4)
    _, task = await run_of(made, "async")
    async with asyncio.timeout(HANGS):
        await log.has("takes", 0)
        task.cancel()
        assert await is_cancelled(task)
    assert (log.of("takes"), output.discarded) == ([0], True)


@pytest.mark.parametrize("section", ["lumi", "run"])
async def test_a_job_may_be_cancelled_while_a_section_is_ended_for_which_the_next_one_waits(section: str) -> None:
    log, released = Log(), asyncio.Event()

    async def end(self: Any, ended: Section) -> None:
        log.note("ends", getattr(ended.id, section))
        await released.wait()
        log.note("has ended", getattr(ended.id, section))

    ends = type("Ends", (Analyzer,), {f"end_{section}": end, "analyze": lambda self, event: None})
    ids = [EventID(1, 1, 1), EventID(1, 2, 2) if section == "lumi" else EventID(2, 1, 2)]
    made = Job("t", source=ListSource([{}, {}], ids), modules={"ends": ends()}, streams=1, concurrent_lumis=1)
    _, task = await run_of(made, "async")
    async with asyncio.timeout(HANGS):
        await log.has("ends", 1)
        task.cancel()
        await asyncio.sleep(0)
        released.set()
        assert await is_cancelled(task)
    assert log.lines == [("ends", 1), ("has ended", 1)]


@ONE_LOOP
async def test_a_job_whose_work_takes_no_notice_is_cancelled_when_that_is_over(mode: Any) -> None:
    log, released = Log(), asyncio.Event()

    async def stays(log: Log, x: int) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                log.note("cancelled once", x)

    made, output = job({"away": Away(log, stays)}, 50, streams=2)
    _, task = await run_of(made, mode)
    last = 0 if mode == "blocking" else 1
    async with asyncio.timeout(HANGS):
        await log.has("begins", last)
        task.cancel()
        await log.has("cancelled once", last)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        released.set()
        assert await is_cancelled(task)
    assert output.discarded
    assert log.of("begins") == [*range(last + 1)]
    assert log.of("produces") == []


class Interrupts:
    """External work that sends SIGINT to its own process, and waits until the job has said what it does then."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.said: list[str] = []

    async def act(self, log: Log, x: int) -> None:
        if x == BAD:
            for time in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                await self.has_said(time + 1)
            if self.times == 2:
                await asyncio.Event().wait()
        if x > BAD:
            await self.has_said(1)

    async def has_said(self, lines: int) -> None:
        while len(self.said) < lines:  # noqa: ASYNC110  # in mode "threads" it is said on another loop
            await asyncio.sleep(0)


@MODES
def test_one_sigint_while_work_is_away_lets_what_is_in_flight_end_well(mode: Any) -> None:
    once = Interrupts(1)
    made, output = job({"away": Away(Log(), once.act)}, 500, streams=3)
    report = running.run(made, mode, say=once.said.append)
    assert report.interrupted
    assert report.events.passed == report.events.read < 500
    assert xs(output) == [*range(report.events.read)]
    assert output.closed
    assert once.said[0].startswith("SIGINT: no new events")


@ONE_LOOP
def test_a_second_sigint_cancels_the_work_that_is_away(mode: Any) -> None:
    log, twice = Log(), Interrupts(2)
    made, output = job({"away": Away(log, twice.act)}, 500, streams=3)
    with pytest.raises((asyncio.CancelledError, KeyboardInterrupt)):
        running.run(made, mode, say=twice.said.append)
    assert log.of("cancelled") == [BAD]
    assert (output.discarded, output.closed) == (True, False)
    assert twice.said[1:] == ["SIGINT: cancelled"]
