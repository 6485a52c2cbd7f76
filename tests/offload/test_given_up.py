"""A step in a thread goes on when it is late, cancelled or its event given up."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from offloaded import BRAIDED, HANGS, Plain, Where, job, outcome

from eventbraid import Analyzer, Event, EventID, Input
from eventbraid.running import Run
from eventbraid.services import Listener


@BRAIDED
async def test_a_step_in_a_thread_that_takes_too_long_fails_its_event_alone(mode: Any) -> None:
    class Late(Plain):
        module_timeout = 0.05

        def produce(self, event: Event) -> None:
            if event[self.x] == 1:
                threading.Event().wait(0.2)
            event[self.value] = 1

    made, output = job({"m": Late(Where())}, 3, on_error="skip", streams=3)
    report, _ = await outcome(made, mode)
    (failure,) = report.failures
    assert str(failure.error) == (
        "module 'm', step produce, path 'p_m', event 1:1:2: TimedOut: the module took more than its 0.05 s"
    )
    assert [row.id.event for row in output.rows] == [1, 3]


@BRAIDED
async def test_what_a_step_that_took_too_long_puts_in_its_thread_reaches_no_output(mode: Any) -> None:
    class Late(Plain):
        module_timeout = 0.05

        def produce(self, event: Event) -> None:
            if event[self.x] == 1:
                threading.Event().wait(0.2)
            event[self.value] = 7

    modules = {"late": Late(Where()), "other": Plain(Where())}
    made, output = job(modules, 2, keep=("late",), paths={"p": ["other"]}, on_error="continue")
    report, _ = await outcome(made, mode)
    assert (report.errors, [row.products for row in output.rows]) == (1, [{"late": 7}])


@BRAIDED
async def test_a_cancelled_job_ends_when_its_steps_in_threads_have(mode: Any) -> None:
    class Waits(Plain):
        def produce(self, event: Event) -> None:
            loop.call_soon_threadsafe(inside.set)
            assert go_on.wait(HANGS)
            ended.append(event[self.x])

    loop, inside, go_on, ended = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), list[int]()
    made, output = job({"m": Waits(Where())}, 1)
    task = asyncio.create_task(Run(made, mode).run())
    await inside.wait()
    task.cancel()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    await asyncio.wait([task], timeout=HANGS)
    assert (task.cancelled(), ended, output.discarded) == (True, [0], True)


@BRAIDED
async def test_a_step_in_a_thread_is_awaited_where_its_event_is_given_up(mode: Any) -> None:
    class Waits(Plain):
        def produce(self, event: Event) -> None:
            if event[self.x] == 1:
                assert go_on.wait(HANGS)
                over.append("step")
            event[self.value] = 1

    class Breaks(Analyzer):
        x = Input[int]("x")

        async def analyze(self, event: Event) -> None:
            await asyncio.sleep(0)
            if event[self.x] == 1:
                asyncio.get_running_loop().call_soon(go_on.set)
                raise ValueError("a bad hit")

    class Ends(Listener):
        def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
            if failed:
                over.append("event")

    go_on, over = threading.Event(), list[str]()
    made, output = job({"waits": Waits(Where()), "breaks": Breaks()}, 3, on_error="skip")
    async with asyncio.timeout(HANGS):
        report = await Run(made, mode, listeners=[Ends()]).run()
    assert over == ["step", "event"]
    assert (report.events.failed, [row.id.event for row in output.rows]) == (1, [1, 3])
