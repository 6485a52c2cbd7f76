"""A run that is steered while events are in flight: held, stopped, given more streams or fewer, and asked where it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventbraid import (
    Analyzer,
    ConfigurationError,
    Event,
    EventID,
    ExternalProducer,
    Job,
    Kept,
    ModuleError,
    Output,
    Report,
    Section,
)
from eventbraid.running import Run
from eventbraid.services import Listener
from eventbraid.sources import EmptySource
from eventbraid.whereabouts import Whereabouts, waiting_on

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
BRAIDED = pytest.mark.parametrize("mode", ["async", "threads"])
HANGS = 10.0
"""Seconds after which a run hangs."""


class Gate(Analyzer):
    """Events wait here until they are let go."""

    kind = "shared"

    def __init__(self) -> None:
        super().__init__()
        self.came: list[int] = []
        self.inside: set[int] = set()
        self._changed = asyncio.Event()
        self._open: set[int] = set()
        self._all = False

    async def analyze(self, event: Event) -> None:
        number = event.number
        self.came.append(number)
        self.inside.add(number)
        self._tell()
        while not (self._all or number in self._open):
            await self._change()
        self.inside.remove(number)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()

    def let(self, number: int) -> None:
        self._open.add(number)
        self._tell()

    def let_all(self) -> None:
        self._all = True
        self._tell()

    async def holds(self, count: int) -> None:
        """Until so many events are inside."""
        async with asyncio.timeout(HANGS):
            while len(self.inside) != count:
                await self._change()


async def turns(count: int = 50) -> None:
    """Let the loop go round, so that what could happen has."""
    for _ in range(count):
        await asyncio.sleep(0)


class Flights(Listener):
    """Counts events in flight, as they begin and end."""

    def __init__(self) -> None:
        self.inside = self.most = self.begun = self.ended = 0

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self.begun += 1
        self.inside += 1
        self.most = max(self.most, self.inside)

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.ended += 1
        self.inside -= 1


def steered(
    gate: Gate, mode: Any = "async", events: int = 20, per_lumi: int = 0, more: Any = None, **settings: Any
) -> tuple[Run, Flights, asyncio.Task[Report]]:
    """A run whose events wait at a gate."""
    flights = Flights()
    job = Job(
        "t",
        source=EmptySource(events=events, per_lumi=per_lumi),
        modules={"gate": gate, **(more or {})},
        streams=settings.pop("streams", 3),
        concurrent_lumis=settings.pop("concurrent_lumis", 2),
    )
    run = Run(job, mode, listeners=[flights], say=lambda line: None, **settings)
    return run, flights, asyncio.create_task(run.run())


async def ended(task: asyncio.Task[Report]) -> Report:
    """The report of a run that may not hang."""
    async with asyncio.timeout(HANGS):
        return await task


# --- counts


@MODES
async def test_the_events_in_flight_are_those_that_were_read_and_have_not_ended(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode)
    assert run.in_flight == 0
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    assert run.in_flight == flights.inside == most
    gate.let(gate.came[0])
    await turns()
    await gate.holds(most)
    assert (run.in_flight, flights.begun, flights.ended, run.ledger.read) == (most, most + 1, 1, 1)
    gate.let_all()
    assert (await ended(task)).events.read == 20
    assert run.in_flight == 0


@MODES
async def test_the_seconds_of_a_run_go_on_until_its_last_event_and_then_stay(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode)
    assert run.seconds == 0.0
    await gate.holds(1 if mode == "blocking" else 3)
    assert 0 < run.seconds <= run.seconds
    gate.let_all()
    report = await ended(task)
    assert run.seconds == run.seconds == report.seconds > 0


# --- hold and resume


@MODES
async def test_a_held_run_reads_nothing_and_lets_what_is_in_flight_end(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    run.hold()
    gate.let_all()
    await gate.holds(0)
    await turns()
    assert (run.held, run.in_flight, flights.begun, task.done()) == (True, 0, most, False)
    run.resume()
    assert (await ended(task)).events.read == 20
    assert not run.held


@MODES
async def test_a_run_may_be_held_and_resumed_again_and_again(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode)
    for _ in range(5):
        await gate.holds(1 if mode == "blocking" else 3)
        run.hold()
        run.hold()
        for number in sorted(gate.inside):
            gate.let(number)
        await gate.holds(0)
        await turns()
        assert run.in_flight == 0
        run.resume()
        run.resume()
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, flights.begun, report.interrupted) == (20, 20, False)


@MODES
async def test_a_run_that_is_held_before_it_begins_reads_nothing_until_it_is_resumed(mode: Any) -> None:
    gate = Gate()
    gate.let_all()
    run, flights, task = steered(gate, mode)
    run.hold()
    await turns()
    assert flights.begun == 0
    run.resume()
    assert (await ended(task)).events.read == 20


@MODES
async def test_a_held_run_ends_when_it_is_stopped(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    run.hold()
    gate.let_all()
    await gate.holds(0)
    assert run.stop("enough")
    report = await ended(task)
    assert (report.events.read, report.interrupted, run.reason, run.held) == (most, True, "enough", False)


@MODES
async def test_a_run_that_is_held_at_its_last_event_ends_once_it_is_resumed(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, events=1)
    await gate.holds(1)
    run.hold()
    gate.let_all()
    await gate.holds(0)
    await turns()
    assert not task.done()
    run.resume()
    assert (await ended(task)).events.read == 1


# --- stop


@MODES
@pytest.mark.parametrize("per_lumi", [1, 4, 10, 100])
async def test_a_run_that_is_stopped_after_its_lumi_reads_that_to_its_end(mode: Any, per_lumi: int) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, per_lumi=per_lumi)
    await gate.holds(1 if mode == "blocking" else 3)
    lumi = gate.came[-1] // per_lumi
    assert run.stop("enough", after_lumi=True)
    assert not run.stop("enough again", after_lumi=True)
    gate.let_all()
    report = await ended(task)
    assert report.events.read == min(20, (lumi + 1) * per_lumi)
    assert (report.interrupted, run.reason) == (True, "enough")


@MODES
async def test_a_run_that_is_to_stop_after_its_lumi_may_be_stopped_at_once(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode, per_lumi=10)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    assert run.stop("after the lumi", after_lumi=True)
    assert run.stop("now")
    assert not run.stop("after the lumi", after_lumi=True)
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, flights.begun, run.reason) == (most, most, "now")


@MODES
async def test_a_held_run_that_is_to_stop_after_its_lumi_reads_on_to_its_end(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, per_lumi=10)
    await gate.holds(1 if mode == "blocking" else 3)
    run.hold()
    run.stop("enough", after_lumi=True)
    gate.let_all()
    assert (await ended(task)).events.read == 10


@MODES
async def test_a_run_that_is_stopped_before_it_begins_reads_nothing(mode: Any) -> None:
    for after_lumi in (False, True):
        gate = Gate()
        gate.let_all()
        run, flights, task = steered(gate, mode, per_lumi=10)
        run.stop("never mind", after_lumi=after_lumi)
        report = await ended(task)
        assert (report.events.read, flights.begun, report.interrupted) == (0, 0, True)


class Sections(Analyzer):
    """Notes begin and end of each section that it is told of, and of the job, for each copy."""

    kept = Kept[int]()

    def __init__(self, log: list[tuple[str, str, int]], copies: list[int], fails_at: int = 0) -> None:
        super().__init__()
        self.log, self.copies, self.fails_at = log, copies, fails_at
        self.copy = 0

    async def begin_job(self) -> None:
        await asyncio.sleep(0)
        self.copies.append(self.copy)
        self.copy = len(self.copies)
        self.log.append(("begin", "job", self.copy))
        if self.copy == self.fails_at:
            raise ValueError("no more")

    def end_job(self) -> None:
        self.log.append(("end", "job", self.copy))

    def begin_lumi(self, lumi: Section) -> None:
        self.log.append(("begin", str(lumi), self.copy))

    def end_lumi(self, lumi: Section) -> None:
        self.log.append(("end", str(lumi), self.copy))

    def analyze(self, event: Event) -> None:
        lumi = f"lumi 1:{event.id.lumi}"
        mine = [what for what, section, copy in self.log if (section, copy) == (lumi, self.copy)]
        assert mine == ["begin"]


def all_have_ended(log: list[tuple[str, str, int]]) -> bool:
    """Every begin has its end, and comes before it."""
    return all(
        [each for each, *of in log if (section, copy) == tuple(of)] == ["begin", "end"] for _, section, copy in log
    )


@MODES
async def test_a_run_that_is_stopped_after_its_lumi_ends_every_section_that_has_begun(mode: Any) -> None:
    gate, log = Gate(), list[tuple[str, str, int]]()
    run, _, task = steered(gate, mode, per_lumi=4, more={"sections": Sections(log, [])})
    await gate.holds(1 if mode == "blocking" else 3)
    run.stop("enough", after_lumi=True)
    gate.let_all()
    assert (await ended(task)).events.read == 4
    assert all_have_ended(log)
    assert {section for _, section, _ in log} == {"job", "lumi 1:1"}


# --- streams


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


# --- max_time


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


# --- whereabouts


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
