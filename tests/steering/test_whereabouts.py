"""Where the events in flight are, and what they wait for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steered import BRAIDED, MODES, Gate, ended, steered, turns

from eventbraid import Analyzer, Event, EventID, ExternalProducer, Job, Output, Section
from eventbraid.running import Run
from eventbraid.sources import EmptySource
from eventbraid.whereabouts import Whereabouts, waiting_on


class Steps(ExternalProducer[int, int]):
    """Waits in each of its steps until it is told to go on to the next."""

    value = Output[int]()

    def __init__(self, told: dict[str, Told]) -> None:
        super().__init__()
        self.told = told

    async def acquire(self, event: Event) -> int:
        await self.told["acquire"].wait()
        return event.number

    async def external_work(self, acquired: int) -> int:
        with waiting_on("gpu-3:8001"):
            await self.told["external work"].wait()
        return acquired

    async def produce(self, event: Event, result: int) -> None:
        await self.told["produce"].wait()
        event[self.value] = result


class Told:
    """An event of the job's loop that can be awaited on any other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.came = asyncio.Event()

    async def wait(self) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._wait(), self._loop))

    async def _wait(self) -> None:
        self.came.set()
        await self._event.wait()

    def set(self) -> None:
        self._event.set()


@pytest.mark.parametrize("mode", ["async", "threads"])
async def test_an_event_that_waits_is_told_with_its_module_step_and_server(mode: Any) -> None:
    told = {step: Told() for step in ("acquire", "external work", "produce")}
    job = Job("t", source=EmptySource(events=1), modules={"steps": Steps(told)}, paths={"p": ["steps"]})
    run = Run(job, mode, say=lambda line: None)
    task = asyncio.create_task(run.run())
    found: list[Whereabouts] = []
    for each in told.values():
        await each.came.wait()
        await turns()
        found += run.whereabouts()
        each.set()
    await ended(task)
    assert [(where.label, where.step, where.server) for where in found] == [
        ("steps", "acquire", ""),
        ("steps", "external work", "gpu-3:8001"),
        ("steps", "produce", ""),
    ]
    assert {(where.event, where.number) for where in found} == {(EventID(1, 1, 1), 0)}
    assert found[0].since < found[1].since < found[2].since


def labels(run: Run) -> list[tuple[int, str, str]]:
    return [(where.number, where.label, where.step) for where in run.whereabouts()]


@BRAIDED
async def test_events_in_flight_are_told_oldest_first_each_with_all_that_it_waits_for(mode: Any) -> None:
    gate, other = Gate(), Gate()
    run, _, task = steered(gate, mode, more={"other": other})
    await gate.holds(3)
    await other.holds(3)
    assert labels(run) == [(n, label, "analyze") for n in range(3) for label in ("gate", "other")]
    other.let(1)
    await other.holds(2)
    await turns()
    assert labels(run)[2:4] == [(1, "gate", "analyze"), (2, "gate", "analyze")]
    gate.let_all()
    other.let_all()
    await ended(task)
    assert run.whereabouts() == []


class Serial(Gate):
    kind = "serial"


@BRAIDED
async def test_an_event_in_a_queue_is_told_to_wait_for_its_turn(mode: Any) -> None:
    gate = Serial()
    run, _, task = steered(gate, mode)
    await gate.holds(1)
    await turns()
    assert labels(run) == [(0, "gate", "analyze"), (1, "", "its turn"), (2, "", "its turn")]
    gate.let_all()
    await ended(task)


@MODES
async def test_nobody_waits_before_a_run_and_after_it(mode: Any) -> None:
    gate = Gate()
    gate.let_all()
    run, _, task = steered(gate, mode)
    assert run.whereabouts() == []
    await ended(task)
    assert run.whereabouts() == []


async def test_an_event_that_waits_for_its_section_to_begin_is_told_to_wait_for_its_turn() -> None:
    class LateSection(Analyzer):
        kind = "shared"

        async def begin_lumi(self, lumi: Section) -> None:
            await told.wait()

        def analyze(self, event: Event) -> None: ...

    told = Told()
    gate = Gate()
    gate.let_all()
    run, _, task = steered(gate, events=1, more={"late": LateSection()})
    await told.came.wait()
    await turns()
    assert labels(run) == [(0, "", "its turn")]
    told.set()
    await ended(task)


async def test_who_waits_on_two_servers_one_within_the_other_is_told_with_the_inner_one() -> None:
    class Nested(Analyzer):
        async def analyze(self, event: Event) -> None:
            with waiting_on("outer:1"):
                await one.wait()
                with waiting_on("inner:2"):
                    await two.wait()
                await three.wait()
            await four.wait()

    one, two, three, four = told = [Told() for _ in range(4)]
    run, _, task = steered(Gate(), events=1, more={"gate": Nested()})
    servers: list[str] = []
    for each in told:
        await each.came.wait()
        await turns()
        servers += [where.server for where in run.whereabouts()]
        each.set()
    await ended(task)
    assert servers == ["outer:1", "inner:2", "outer:1", ""]


def test_outside_a_task_nobody_is_told_to_wait() -> None:
    async def main() -> None:
        inside: list[bool] = []

        def callback() -> None:
            with waiting_on("gpu-3:8001"):
                inside.append(True)

        asyncio.get_running_loop().call_soon(callback)
        await turns(2)
        assert inside

    asyncio.run(main())
