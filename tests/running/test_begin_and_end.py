"""How a job begins and ends: of itself, by a fault, stopped, cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from small_modules import MODES, Copy, numbers

from eventbraid import Event, ExternalProducer, Input, Job, ModuleError, Output, Producer
from eventbraid.running import Run
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput


@MODES
def test_begin_and_end_of_the_job_are_called_once_for_each_copy(mode: Any) -> None:
    calls: list[str] = []

    class Begins(Copy):
        async def begin_job(self) -> None:
            calls.append("begin")

        def end_job(self) -> None:
            calls.append("end")

    Job("t", source=numbers(3), modules={"b": Begins()}, paths={"p": ["b"]}, streams=3).run(mode)
    copies = 3 if mode == "async" else 1
    assert calls == ["begin"] * copies + ["end"] * copies


@MODES
def test_a_begin_that_fails_stops_the_job_before_any_event_and_ends_what_had_begun(mode: Any) -> None:
    ended: list[str] = []

    class Good(Copy):
        kind = "shared"

        def end_job(self) -> None:
            ended.append("good")

    class Bad(Copy):
        kind = "shared"

        def begin_job(self) -> None:
            raise RuntimeError("no calibration")

        def end_job(self) -> None:
            ended.append("bad")

    output = ListOutput()
    modules = {"good": Good(), "bad": Bad()}
    job = Job("t", source=numbers(3), modules=modules, paths={"p": ["good", "bad"]}, outputs=[output])
    with pytest.raises(ModuleError, match="module 'bad', step begin_job, path 'p': RuntimeError: no calibration"):
        job.run(mode)
    assert ended == ["good"]
    assert output.discarded


async def test_a_cancelled_job_cancels_its_modules_and_external_work_and_discards_outputs() -> None:
    started, cancelled = asyncio.Event(), []

    class Forever(ExternalProducer[int, int]):
        x = Input[int]("x")
        value = Output[int]()

        async def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            if acquired == 4:
                started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(acquired)
                raise
            return acquired

        async def produce(self, event: Event, result: int) -> None: ...

    output = ListOutput()
    job = Job("t", source=numbers(5), modules={"f": Forever()}, paths={"p": ["f"]}, outputs=[output], streams=5)
    task = asyncio.create_task(job.run_async())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(cancelled) == [0, 1, 2, 3, 4]
    assert output.discarded


async def test_a_stopped_job_reads_no_more_and_finishes_what_is_in_flight() -> None:
    class Stops(Copy):
        async def produce(self, event: Event) -> None:
            run.stop("enough")
            await asyncio.sleep(0)
            event[self.value] = 1

    job = Job(
        "t",
        source=EmptySource(events=1000),
        modules={"s": Stops(x="y"), "y": Copy(x="z"), "z": Make()},
        paths={"p": ["s"]},
        streams=4,
    )
    run = Run(job)
    report = await run.run()
    assert 1 <= report.events.read <= 4
    assert report.events.passed == report.events.read
    assert report.interrupted


class Make(Producer):
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = 1
