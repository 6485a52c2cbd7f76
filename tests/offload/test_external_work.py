"""External work in mode "threads", and of a module that collects requests."""

from __future__ import annotations

import asyncio
import threading

import pytest
from offloaded import HANGS, Away, Where, job, outcome

from eventbraid import Report
from eventbraid.running import Run


class LoopOf(Away):
    """Notes the thread and the loop of its external work."""

    offload = False

    def __init__(self) -> None:
        super().__init__(Where())
        self.loops: list[tuple[threading.Thread, asyncio.AbstractEventLoop]] = []

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(0)
        self.loops.append((threading.current_thread(), asyncio.get_running_loop()))
        return acquired * 10


@pytest.mark.parametrize("streams", [1, 4])
async def test_external_work_in_threads_has_a_loop_that_stays_with_its_thread(streams: int) -> None:
    away = LoopOf()
    made, output = job({"m": away}, 40, keep=("m",), streams=streams)
    await outcome(made, "threads")
    assert [row.products["m"] for row in output.rows] == [10 * n for n in range(40)]
    threads, loops = {thread for thread, _ in away.loops}, {id(loop) for _, loop in away.loops}
    assert threading.current_thread() not in threads
    assert len(threads) == len(loops) == len(set(away.loops)) <= streams
    assert all(loop.is_closed() for _, loop in away.loops)


async def test_external_work_in_threads_is_away_for_as_many_events_as_there_are_streams() -> None:
    class Meets(Away):
        offload = False

        async def external_work(self, acquired: int) -> int:
            await asyncio.to_thread(barrier.wait, HANGS)
            return acquired * 10

    barrier = threading.Barrier(4)
    made, output = job({"m": Meets(Where())}, 8, keep=("m",), streams=4)
    await outcome(made, "threads")
    assert [row.products["m"] for row in output.rows] == [10 * n for n in range(8)]


class Collects(Away):
    """Collects the requests of three events and asks once."""

    offload = False

    def __init__(self) -> None:
        super().__init__(Where())
        self.held: list[tuple[int, asyncio.Future[int]]] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def external_work(self, acquired: int) -> int:
        loop = asyncio.get_running_loop()
        self.loops.add(loop)
        future: asyncio.Future[int] = loop.create_future()
        self.held.append((acquired, future))
        if len(self.held) == 3:
            for _ in range(100):  # the others wait by then
                await asyncio.sleep(0)
            held, self.held = self.held, []
            for value, each in held:
                each.set_result(value * 10)
        return await future

    async def ends(self, task: asyncio.Task[Report]) -> bool:
        """True when a job ends without its loops being woken from outside; they are, in any case."""
        await asyncio.wait([task], timeout=0.5)
        ended = task.done()
        while not task.done():
            for loop in self.loops:
                loop.call_soon_threadsafe(int)
            await asyncio.wait([task], timeout=0.01)
        return ended


async def test_edge_01_a_module_that_collects_the_requests_of_three_events_gets_its_answers() -> None:
    collects = Collects()
    made, output = job({"m": collects}, 9, keep=("m",), streams=3)
    task = asyncio.create_task(Run(made, "async").run())
    assert await collects.ends(task)
    assert [row.products["m"] for row in output.rows] == [10 * n for n in range(9)]
