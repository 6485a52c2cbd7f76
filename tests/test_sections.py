"""Runs and luminosity sections: begin, end, values kept for them, and flush."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import (
    Analyzer,
    Event,
    EventID,
    ExternalProducer,
    Input,
    Job,
    Kept,
    ModuleError,
    Output,
    Producer,
    ProductError,
    Section,
)
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])


class Recorder(Analyzer):
    """Notes every begin, end and event, with its copy."""

    def __init__(self, log: list[tuple[str, Any, str]], name: str = "", fails: str = "", **settings: Any) -> None:
        super().__init__(**settings)
        self.log, self.name, self.fails = log, name, fails

    def note(self, what: str, section: Any) -> None:
        self.log.append((what, str(section), self.name))
        if self.fails == f"{what} {section}":
            raise ValueError(self.fails)

    def begin_run(self, run: Section) -> None:
        self.note("begin", run)

    def end_run(self, run: Section) -> None:
        self.note("end", run)

    async def begin_lumi(self, lumi: Section) -> None:
        await asyncio.sleep(0)
        self.note("begin", lumi)

    async def end_lumi(self, lumi: Section) -> None:
        await asyncio.sleep(0)
        self.note("end", lumi)

    async def analyze(self, event: Event) -> None:
        await asyncio.sleep(0)
        self.note("event", f"{event.id}")


class SharedRecorder(Recorder):
    kind = "shared"


class SerialRecorder(Recorder):
    kind = "serial"


def ids(*lumis: tuple[int, int, int]) -> list[EventID]:
    """Events of (run, lumi, how many), numbered through; with none only the section is opened."""
    found: list[EventID] = []
    number = 0
    for run, lumi, events in lumis:
        if not events:
            found.append(EventID(run, lumi, 0))
        for _ in range(events):
            number += 1
            found.append(EventID(run, lumi, number))
    return found


def job(modules: dict[str, Any], events: Sequence[EventID], **settings: Any) -> Job:
    source = ListSource([{}] * len(events), list(events))
    return Job("t", source=source, modules=modules, **settings)


@MODES
def test_sections_begin_before_their_events_and_end_after_them_in_the_reverse_order(mode: Any) -> None:
    log: list[tuple[str, Any, str]] = []
    modules = {"one": SharedRecorder(log, "one"), "two": SharedRecorder(log, "two")}
    job(modules, ids((1, 1, 1), (1, 2, 1), (2, 1, 1)), streams=1, concurrent_lumis=1).run(mode)
    expected: list[tuple[str, str]] = []
    for run, lumis in ((1, [(1, 1), (2, 2)]), (2, [(1, 3)])):
        expected.append(("begin", f"run {run}"))
        for lumi, event in lumis:
            expected += [
                ("begin", f"lumi {run}:{lumi}"),
                ("event", f"{run}:{lumi}:{event}"),
                ("end", f"lumi {run}:{lumi}"),
            ]
        expected.append(("end", f"run {run}"))
    assert [(what, section) for what, section, name in log if name == "one"] == expected
    pairs = [(what, name) for what, _, name in log if what != "event"]
    assert all(pairs[n : n + 2] in ([("begin", "one"), ("begin", "two")], [("end", "two"), ("end", "one")])
               for n in range(0, len(pairs), 2))  # fmt: skip


@MODES
def test_edge_16_an_empty_lumi_and_an_empty_run_begin_and_end(mode: Any) -> None:
    log: list[tuple[str, Any, str]] = []
    report = job({"r": SharedRecorder(log)}, ids((1, 1, 0), (2, 0, 0), (3, 1, 1)), streams=2).run(mode)
    assert report.events.read == 1
    for section in ("run 1", "lumi 1:1", "run 2", "run 3", "lumi 3:1"):
        assert [what for what, name, _ in log if name == section] == ["begin", "end"]


@MODES
def test_edge_16_no_events_no_sections(mode: Any) -> None:
    log: list[tuple[str, Any, str]] = []
    assert job({"r": SharedRecorder(log)}, [], streams=2).run(mode).events.read == 0
    assert log == []


def open_at_once(log: Sequence[tuple[str, Any, str]], level: str) -> int:
    """The most sections of a level that were open at the same time."""
    now = most = 0
    for what, section, _ in log:
        if section.startswith(level):
            now += {"begin": 1, "end": -1}[what]
            most = max(most, now)
    return most


@pytest.mark.parametrize(("lumis", "expected"), [(1, 1), (2, 2), (3, 3)])
def test_edge_13_no_more_lumis_are_open_than_the_job_says(lumis: int, expected: int) -> None:
    log: list[tuple[str, Any, str]] = []
    events = ids(*((1, n, 1) for n in range(1, 9)))
    job({"r": SharedRecorder(log)}, events, streams=8, concurrent_lumis=lumis).run()
    assert open_at_once(log, "lumi") == expected


def test_runs_do_not_overlap_unless_the_job_says_so() -> None:
    for runs in (1, 2):
        log: list[tuple[str, Any, str]] = []
        events = ids(*((n, 1, 2) for n in range(1, 6)))
        job({"r": SharedRecorder(log)}, events, streams=6, concurrent_lumis=4, concurrent_runs=runs).run()
        assert open_at_once(log, "run") == runs


def test_edge_14_a_serial_module_sees_one_lumi_after_the_other() -> None:
    log: list[tuple[str, Any, str]] = []
    job({"r": SerialRecorder(log)}, ids(*((1, n, 2) for n in range(1, 6))), streams=8, concurrent_lumis=4).run()
    assert open_at_once(log, "lumi") == 1
    sections = [section.removeprefix("lumi ") for _, section, _ in log if not section.startswith("run")]
    lumis = [":".join(section.split(":")[:2]) for section in sections]
    assert lumis == sorted(lumis)


def test_a_stream_begins_only_the_lumis_of_which_it_carries_an_event() -> None:
    log: list[tuple[str, Any, str]] = []
    job({"r": Recorder(log)}, ids((1, 1, 1), (1, 2, 1)), streams=4).run()
    for lumi in ("lumi 1:1", "lumi 1:2"):
        assert [what for what, section, _ in log if section == lumi] == ["begin", "end"]


class Gain(Producer):
    """Keeps a gain for each lumi and counts its events there."""

    kind = "shared"
    gain = Kept[int]()
    seen = Kept[int]()
    value = Output[int]()

    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__()
        self.counts = counts

    def begin_run(self, run: Section) -> None:
        run[self.gain] = 1000 * run.id.run

    def begin_lumi(self, lumi: Section) -> None:
        lumi[self.gain] = lumi.run[self.gain] + 10 * lumi.id.lumi

    async def produce(self, event: Event) -> None:
        await asyncio.sleep(0)
        event.lumi[self.seen] = event.lumi.get(self.seen, 0) + 1
        event[self.value] = event.lumi[self.gain] + event.run[self.gain]

    def end_lumi(self, lumi: Section) -> None:
        self.counts[str(lumi)] = lumi.get(self.seen, 0)


@MODES
def test_an_event_reads_the_values_of_its_own_lumi_and_run(mode: Any) -> None:
    counts: dict[str, int] = {}
    output = ListOutput(keep=["gain"])
    events = ids((1, 1, 3), (1, 2, 2), (2, 1, 4))
    job({"gain": Gain(counts)}, events, outputs=[output], streams=4, concurrent_runs=2).run(mode)
    assert [row.products["gain"] for row in output.rows] == [2010] * 3 + [2020] * 2 + [4010] * 4
    assert counts == {"lumi 1:1": 3, "lumi 1:2": 2, "lumi 2:1": 4}


@MODES
def test_a_value_that_was_not_put_is_an_error_that_says_where_to_put_it(mode: Any) -> None:
    class Forgets(Analyzer):
        gain = Kept[int]()

        def analyze(self, event: Event) -> None:
            event.lumi[self.gain]

    with pytest.raises(ModuleError, match=r"'gain' was not put for lumi 1:1: put it in begin_lumi\(\)"):
        job({"forgets": Forgets()}, ids((1, 1, 1))).run(mode)


def test_an_event_of_a_job_without_sections_says_how_to_have_them() -> None:
    class Asks(Analyzer):
        def analyze(self, event: Event) -> None:
            with pytest.raises(ProductError, match="declare it with Kept"):
                _ = event.lumi

    assert job({"asks": Asks()}, ids((1, 1, 1))).run().events.failed == 0


FAILING = ["begin run 1", "begin lumi 1:1", "begin lumi 1:2", "end lumi 1:1", "end run 1"]


@MODES
@pytest.mark.parametrize("kind", [Recorder, SharedRecorder, SerialRecorder])
@pytest.mark.parametrize("where", FAILING)
def test_edge_06_an_exception_in_any_transition_is_reported_and_every_begin_has_its_end(
    mode: Any, kind: type[Recorder], where: str
) -> None:
    log: list[tuple[str, Any, str]] = []
    modules = {"good": kind(log, "good"), "bad": kind(log, "bad", fails=where), "last": kind(log, "last")}
    step, _, section = where.partition(" ")
    with pytest.raises(ModuleError, match=f"module 'bad', step {step}_{section.split()[0]}.*{where}") as raised:
        job(modules, ids((1, 1, 3), (1, 2, 3), (1, 3, 3)), streams=3).run(mode)
    report = raised.value.report
    assert report is not None
    assert report.events.read == report.events.passed + report.events.failed
    for name in modules:
        mine = [(what, section) for what, section, who in log if who == name and what != "event"]
        for section in {section for _, section in mine}:
            failed = name == "bad" and where == f"begin {section}"
            begun = 0 if failed else mine.count(("begin", section))
            assert mine.count(("end", section)) == begun


@MODES
def test_edge_15_an_exception_in_a_lumi_that_is_not_the_last_does_not_hang(mode: Any) -> None:
    log: list[tuple[str, Any, str]] = []
    modules = {"r": SharedRecorder(log, fails="event 1:1:2")}
    with pytest.raises(ModuleError, match="event 1:1:2"):
        job(modules, ids((1, 1, 3), (1, 2, 3), (2, 1, 3)), streams=2).run(mode)
    sections = [(what, section) for what, section, _ in log if what != "event"]
    assert all(sections.count(("end", section)) == 1 for what, section in sections if what == "begin")


def test_edge_17_an_exception_near_a_lumis_end_lets_the_others_end_normally() -> None:
    log: list[tuple[str, Any, str]] = []
    modules = {"r": SharedRecorder(log, fails="event 1:1:4")}
    with pytest.raises(ModuleError, match="event 1:1:4") as raised:
        job(modules, ids((1, 1, 4), (1, 2, 4)), streams=4).run()
    assert raised.value.report is not None
    assert raised.value.report.events.failed == 1
    assert [what for what, section, _ in log if section == "lumi 1:1"] == ["begin", "end"]


class Three(ExternalProducer[int, int]):
    """Collects the requests of three events, and asks once."""

    kind = "shared"
    x = Input[int]("x")
    y = Output[int]()

    def __init__(self, calls: list[list[int]]) -> None:
        super().__init__()
        self.calls = calls
        self.held: list[tuple[int, asyncio.Future[int]]] = []

    def acquire(self, event: Event) -> int:
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.held.append((acquired, future))
        if len(self.held) == 3:
            self.send()
        return await future

    def send(self) -> None:
        held, self.held = self.held, []
        self.calls.append([value for value, _ in held])
        for value, future in held:
            if not future.done():
                future.set_result(value * 10)

    def flush_lumi(self, lumi: Section) -> None:
        if self.held:
            self.send()

    def produce(self, event: Event, result: int) -> None:
        event[self.y] = result


def collecting(calls: list[list[int]], events: Sequence[EventID], **settings: Any) -> Job:
    output = ListOutput(keep=["three"])
    source = ListSource([{"x": n} for n in range(len(events))], list(events))
    return Job("t", source=source, modules={"three": Three(calls)}, outputs=[output], **settings)


def test_edge_01_requests_of_three_events_become_one_call_and_each_gets_its_own_answer() -> None:
    calls: list[list[int]] = []
    made = collecting(calls, ids((1, 1, 9)), streams=3)
    made.run()
    output = made.outputs[0]
    assert isinstance(output, ListOutput)
    assert {row.id.event: row.products["three"] for row in output.rows} == {n + 1: n * 10 for n in range(9)}
    assert [len(call) for call in calls] == [3, 3, 3]
    assert sorted(value for call in calls for value in call) == list(range(9))


@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 3))
def test_what_is_held_at_the_end_of_a_lumi_is_flushed(lumis: list[int], streams: int, concurrent: int) -> None:
    calls: list[list[int]] = []
    events = ids(*((1, number, count) for number, count in enumerate(lumis, 1)))
    made = collecting(calls, events, streams=streams, concurrent_lumis=concurrent)
    report = made.run()
    assert report.events.passed == sum(lumis)
    assert sorted(value for call in calls for value in call) == list(range(sum(lumis)))


def test_blocking_mode_flushes_each_event() -> None:
    calls: list[list[int]] = []
    collecting(calls, ids((1, 1, 4))).run("blocking")
    assert calls == [[0], [1], [2], [3]]
