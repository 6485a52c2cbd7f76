"""Jobs do not wait for late external work in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from giving_up import BAD, HANGS, TINY, Away, Log, Step, job, never, run_of, xs

from eventbraid import Report


class Valve:
    """External work that waits on a loop of its own, until it is cancelled or the test lets it go."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.cancelled = 0
        self._open: list[Callable[[], object]] = []

    async def act(self, log: Log, x: int) -> None:
        if x != BAD:
            return
        released = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._open.append(lambda: loop.is_closed() or loop.call_soon_threadsafe(released.set))
        self.loop.call_soon_threadsafe(self.begun.set)
        try:
            await released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def open(self) -> None:
        for each in self._open:
            each()

    async def lets_go(self, task: asyncio.Task[Report]) -> bool:
        """True when a job ends although its work would still wait; it is let go in any case."""
        await asyncio.wait([task], timeout=0.5)
        ended = task.done()
        self.open()
        await asyncio.wait([task], timeout=HANGS)
        return ended


@pytest.mark.parametrize("mode", ["async", "threads"])
@pytest.mark.parametrize("name", ["external_timeout", "module_timeout"])
async def test_a_job_does_not_wait_for_work_that_took_too_long(mode: Any, name: str) -> None:
    valve = Valve()
    module = type("InTime", (Away,), {name: TINY, "external_work": lambda self, x: act_and_return(valve, x)})
    made, _ = job({"away": module(Log(), never)}, on_error="skip")
    _, task = await run_of(made, mode)
    assert await valve.lets_go(task)
    assert valve.cancelled == 1
    assert [failure.number for failure in task.result().failures] == [BAD]


async def act_and_return(valve: Valve, x: int) -> int:
    await valve.act(Log(), x)
    return x


@pytest.mark.parametrize("mode", ["async", "threads"])
async def test_a_job_does_not_wait_for_work_of_an_event_that_was_given_up(mode: Any) -> None:
    valve = Valve()

    async def fails(log: Log, x: int) -> None:
        if x == BAD:
            await valve.begun.wait()
            raise ValueError("a bad hit")

    module = type("Own", (Away,), {"external_work": lambda self, x: act_and_return(valve, x)})
    made, _ = job({"away": module(Log(), never), "fails": Step(Log(), fails)}, on_error="skip")
    _, task = await run_of(made, mode)
    assert await valve.lets_go(task)
    assert (valve.cancelled, task.result().cancelled) == (1, 1)


@pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
async def test_a_cancelled_job_does_not_wait_for_the_end_of_its_work(mode: Any) -> None:
    valve = Valve()
    module = type("Own", (Away,), {"external_work": lambda self, x: act_and_return(valve, x)})
    made, output = job({"away": module(Log(), never)})
    _, task = await run_of(made, mode)
    await valve.begun.wait()
    task.cancel()
    assert await valve.lets_go(task)
    assert (valve.cancelled, task.cancelled(), output.discarded) == (1, True, True)


async def test_work_in_a_thread_that_is_late_does_not_keep_its_thread_from_the_next_events() -> None:
    valve = Valve()
    module = type(
        "InTime", (Away,), {"external_timeout": TINY, "external_work": lambda self, x: act_and_return(valve, x)}
    )
    made, output = job({"away": module(Log(), never)}, 6, on_error="skip", streams=1)
    _, task = await run_of(made, "threads")
    await valve.lets_go(task)
    assert xs(output) == [0, 2, 3, 4, 5]
