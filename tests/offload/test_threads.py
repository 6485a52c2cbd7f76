"""Which threads steps run in, how many there are, and what cannot go to one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from offloaded import BRAIDED, HANGS, MODES, Away, Decides, Looks, Plain, Where, job, outcome

from eventbraid import ConfigurationError, Event, Input, Output, Producer
from eventbraid.calls import OFFLOAD_THREADS
from eventbraid.running import Run


@MODES
@pytest.mark.parametrize("made_of", [Plain, Decides, Looks])
async def test_a_plain_step_runs_in_another_thread_but_in_blocking_mode(mode: Any, made_of: Any) -> None:
    where = Where()
    made, _ = job({"m": made_of(where)})
    report, _ = await outcome(made, mode)
    assert report.modules["m"].calls == 3
    here = threading.current_thread().name
    assert {thread for _, thread in where.of} == {here if mode == "blocking" else "offload"}


@MODES
async def test_acquire_and_produce_run_in_another_thread_and_the_work_between_them_as_the_mode_says(mode: Any) -> None:
    where = Where()
    made, output = job({"m": Away(where)}, keep=("m",))
    await outcome(made, mode)
    here = threading.current_thread().name
    step = here if mode == "blocking" else "offload"
    work = "external" if mode == "threads" else here
    assert set(where.of) == {("acquire", step), ("external work", work), ("produce", step)}
    assert [row.products["m"] for row in output.rows] == [0, 10, 20]


class Fills(Plain):
    """Stays until as many calls are inside as there are threads, and the loop has had its turns since."""

    kind = "shared"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(Where())
        self.loop = loop
        self.full, self.released = asyncio.Event(), threading.Event()
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def produce(self, event: Event) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == OFFLOAD_THREADS:
                self.loop.call_soon_threadsafe(self.full.set)
        assert self.released.wait(HANGS)
        with self.lock:
            self.inside -= 1
        event[self.value] = 1


async def test_no_more_steps_run_in_threads_at_once_than_there_are_threads() -> None:
    fills = Fills(asyncio.get_running_loop())
    made, _ = job({"m": fills, "other": Plain(Where())}, 3 * OFFLOAD_THREADS)
    run = Run(made)
    task = asyncio.create_task(run.run())
    async with asyncio.timeout(HANGS):
        await fills.full.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert run.in_flight == 3 * OFFLOAD_THREADS
        fills.released.set()
        assert (await task).events.passed == 3 * OFFLOAD_THREADS
    assert fills.most == OFFLOAD_THREADS


@MODES
async def test_no_thread_is_left_when_a_job_has_ended(mode: Any) -> None:
    before = set(threading.enumerate())
    made, _ = job({"m": Away(Where()), "other": Plain(Where())}, 20, streams=5)
    await outcome(made, mode)
    left = {thread.name.split("_")[0] for thread in set(threading.enumerate()) - before}
    assert left <= {"asyncio"}  # the loop's own, for files


@pytest.mark.parametrize("base", [Plain, Decides, Looks, Away])
def test_a_step_that_is_async_cannot_go_to_a_thread(base: Any) -> None:
    step = base._steps[-1]

    async def waits(self: Any, event: Event, result: int = 0) -> None: ...

    made, _ = job({"m": type("Waits", (base,), {step: waits})(Where())})
    with pytest.raises(ConfigurationError, match=rf"Waits has offload = True, but {step}\(\) is async def"):
        made.run()


def test_an_acquire_that_is_async_cannot_go_to_a_thread() -> None:
    async def waits(self: Any, event: Event) -> int:
        return 1

    made, _ = job({"m": type("Waits", (Away,), {"acquire": waits})(Where())})
    with pytest.raises(ConfigurationError, match=r"Waits has offload = True, but acquire\(\) is async def: a thread"):
        made.run()


@BRAIDED
async def test_the_loop_goes_on_while_a_step_is_in_a_thread(mode: Any) -> None:
    class Waits(Plain):
        def produce(self, event: Event) -> None:
            assert opened.wait(HANGS)
            event[self.value] = 1

    class Opens(Producer):
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            await asyncio.sleep(0)
            event[self.value] = event[self.x]
            if event[self.x] == 2:
                opened.set()

    opened = threading.Event()
    made, _ = job({"waits": Waits(Where()), "opens": Opens()}, 3)
    report, _ = await outcome(made, mode)
    assert report.events.passed == 3
