"""A run that is given more streams or fewer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from steered import BRAIDED, HANGS, Gate, Sections, all_have_ended, ended, steered, turns

from eventbraid import Analyzer, ConfigurationError, Event, ModuleError


@BRAIDED
async def test_more_streams_take_effect_at_once(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode, streams=1)
    await gate.holds(1)
    await run.set_streams(4)
    await gate.holds(4)
    await turns()
    assert (run.streams, run.in_flight, flights.most) == (4, 4, 4)
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, flights.most) == (20, 4)


@BRAIDED
async def test_fewer_streams_take_effect_as_events_end(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode, streams=6)
    await gate.holds(6)
    await run.set_streams(2)
    assert (run.streams, run.in_flight) == (2, 6)
    for number, left in zip(range(5), [5, 4, 3, 2, 2], strict=True):
        gate.let(number)
        await gate.holds(left)
        await turns()
        assert run.in_flight == left
    gate.let_all()
    assert (await ended(task)).events.read == 20
    assert flights.most == 6


@BRAIDED
async def test_streams_that_were_to_go_stay_when_more_are_wanted_before_they_have_gone(mode: Any) -> None:
    copies: list[int] = []
    gate = Gate()
    run, flights, task = steered(gate, mode, streams=4, more={"sections": Sections([], copies)})
    await gate.holds(4)
    await run.set_streams(1)
    await run.set_streams(4)
    gate.let(0)
    await turns()
    await gate.holds(4)
    assert (len(copies), run.in_flight, flights.most) == (4, 4, 4)
    gate.let_all()
    assert (await ended(task)).events.read == 20


@BRAIDED
@pytest.mark.parametrize("steps", [[5, 2, 7], [1, 6, 1], [3, 3], [8, 1, 8, 1, 8], [2, 1, 2, 1]])
async def test_every_copy_begins_before_its_first_event_and_ends(mode: Any, steps: list[int]) -> None:
    gate, log = Gate(), list[tuple[str, str, int]]()
    sections = Sections(log, [])
    run, flights, task = steered(gate, mode, events=60, per_lumi=5, more={"sections": sections}, streams=3)
    await gate.holds(3)
    for streams in steps:
        await run.set_streams(streams)
        for number in sorted(gate.inside):
            gate.let(number)
        await turns()
        assert run.streams == streams
        assert run.in_flight <= streams
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, report.events.failed) == (60, 0)
    assert all_have_ended(log)
    assert flights.most <= max(3, *steps)


@pytest.mark.parametrize("busy", [False, True])
async def test_a_stream_that_has_gone_is_the_first_to_come_again(busy: bool) -> None:
    copies: list[int] = []
    gate = Gate()
    run, _, task = steered(gate, events=1000, streams=3, more={"sections": Sections([], copies)})
    for _ in range(5):
        await gate.holds(3)
        if busy:
            await run.set_streams(1)
        run.hold()
        for number in sorted(gate.inside):
            gate.let(number)
        await gate.holds(0)
        await turns()
        if not busy:
            await run.set_streams(1)
        await run.set_streams(3)
        run.resume()
    gate.let_all()
    assert (await ended(task)).events.read == 1000
    assert len(copies) == 3


async def test_while_a_run_is_held_its_streams_may_be_changed() -> None:
    gate = Gate()
    run, flights, task = steered(gate, streams=2)
    await gate.holds(2)
    run.hold()
    gate.let(0)
    gate.let(1)
    await gate.holds(0)
    await run.set_streams(5)
    await turns()
    assert flights.begun == 2
    run.resume()
    await gate.holds(5)
    gate.let_all()
    assert (await ended(task)).events.read == 20


async def test_a_stream_whose_begin_fails_is_told_of_and_the_run_keeps_those_that_it_has() -> None:
    gate, log = Gate(), list[tuple[str, str, int]]()
    run, flights, task = steered(gate, streams=2, more={"sections": Sections(log, [], fails_at=4)})
    await gate.holds(2)
    with pytest.raises(ModuleError, match="module 'sections', step begin_job: ValueError: no more"):
        await run.set_streams(4)
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, report.events.failed) == (20, 0)
    assert [copy for what, section, copy in log if (what, section) == ("end", "job")] == [3, 2, 1]
    assert run.streams == flights.most


class Begins(Analyzer):
    """Copies after the first begin when they are told to."""

    def __init__(self, log: list[str], told: asyncio.Event) -> None:
        super().__init__()
        self.log, self.told = log, told

    async def begin_job(self) -> None:
        if "begins" in self.log:
            self.log.append("waits")
            await self.told.wait()
        self.log.append("begins")

    def end_job(self) -> None:
        self.log.append("ends")

    def analyze(self, event: Event) -> None: ...


async def test_no_event_is_read_for_a_stream_that_has_not_begun() -> None:
    gate, log, told = Gate(), list[str](), asyncio.Event()
    run, flights, task = steered(gate, streams=1, more={"begins": Begins(log, told)})
    await gate.holds(1)
    more = asyncio.create_task(run.set_streams(2))
    await turns()
    assert (log, flights.begun, more.done()) == (["begins", "waits"], 1, False)
    told.set()
    await more
    await gate.holds(2)
    gate.let_all()
    assert (await ended(task)).events.read == 20
    assert log == ["begins", "waits", "begins", "ends", "ends"]


async def test_a_copy_that_begins_while_the_last_events_end_has_its_end() -> None:
    gate, log, told = Gate(), list[str](), asyncio.Event()
    run, _, task = steered(gate, streams=1, events=1, more={"begins": Begins(log, told)})
    await gate.holds(1)
    more = asyncio.create_task(run.set_streams(2))
    await turns()
    gate.let_all()
    await turns()
    told.set()
    await asyncio.wait([more], timeout=HANGS)
    assert (await ended(task)).events.read == 1
    assert log.count("begins") == log.count("ends") == 2


async def test_two_wishes_for_streams_are_met_one_after_the_other() -> None:
    gate, log, told = Gate(), list[str](), asyncio.Event()
    run, flights, task = steered(gate, streams=1, more={"begins": Begins(log, told)})
    await gate.holds(1)
    more = [asyncio.create_task(run.set_streams(streams)) for streams in (4, 2, 3)]
    await turns()
    told.set()
    await asyncio.gather(*more)
    assert run.streams == 3
    await gate.holds(3)
    await turns()
    assert (run.in_flight, flights.most) == (3, 3)
    gate.let_all()
    assert (await ended(task)).events.read == 20
    assert log.count("begins") == log.count("ends")


async def test_the_streams_of_blocking_mode_cannot_be_changed() -> None:
    gate = Gate()
    run, _, task = steered(gate, "blocking")
    await gate.holds(1)
    with pytest.raises(ConfigurationError, match="has one event in flight: its streams cannot be changed"):
        await run.set_streams(2)
    gate.let_all()
    await ended(task)


@pytest.mark.parametrize("streams", [0, -1, 10_001])
async def test_a_number_of_streams_that_cannot_be_is_refused(streams: int) -> None:
    gate = Gate()
    run, _, task = steered(gate)
    await gate.holds(3)
    with pytest.raises(ConfigurationError, match=f"must be a whole number from 1 to 10000, not {streams}"):
        await run.set_streams(streams)
    assert run.streams == 3
    gate.let_all()
    await ended(task)


async def test_the_streams_of_a_run_that_has_ended_cannot_be_changed() -> None:
    gate = Gate()
    gate.let_all()
    run, _, task = steered(gate)
    await ended(task)
    with pytest.raises(ConfigurationError, match="streams cannot be changed"):
        await run.set_streams(2)


async def test_a_wish_for_streams_that_comes_too_late_is_refused() -> None:
    gate, log, told = Gate(), list[str](), asyncio.Event()
    run, _, task = steered(gate, streams=1, events=1, more={"begins": Begins(log, told)})
    await gate.holds(1)
    first, second = (asyncio.create_task(run.set_streams(streams)) for streams in (2, 3))
    await turns()
    gate.let_all()
    await turns()
    told.set()
    await asyncio.wait([first, second], timeout=HANGS)
    await ended(task)
    assert isinstance(second.exception(), ConfigurationError)
