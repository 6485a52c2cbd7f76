"""What a job does with its paths, its failures, its source, its outputs and its end, in both modes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from eventbraid import (
    Analyzer,
    ConfigurationError,
    DataError,
    Event,
    EventID,
    ExternalFilter,
    ExternalProducer,
    Filter,
    Input,
    Job,
    ModuleError,
    Output,
    Parameter,
    PathResult,
    PathState,
    Producer,
)
from eventbraid.running import Run
from eventbraid.services import Listener, Trace
from eventbraid.sources import EmptySource, Entry, Source
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking"])


class Copy(Producer):
    x = Input[int]("x")
    value = Output[int]()

    async def produce(self, event: Event) -> None:
        event[self.value] = event[self.x]


class Above(Filter):
    x = Input[int]("x")
    cut = Parameter(0, doc="passes above")

    async def filter(self, event: Event) -> bool:
        return event[self.x] > self.cut


class Fails(Producer):
    x = Input[int]("x")
    value = Output[int]()
    at = Parameter(2, doc="fails where x is this")

    async def produce(self, event: Event) -> None:
        if event[self.x] == self.at:
            raise ValueError("a bad hit")
        event[self.value] = event[self.x]


class Count(Analyzer):
    kind = "shared"
    x = Input[int]("x")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[int] = []

    def analyze(self, event: Event) -> None:
        self.seen.append(event[self.x])


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])


@MODES
def test_a_producer_that_only_a_filtered_path_needs_runs_only_behind_the_filter(mode: Any) -> None:
    count = Count(x="copy")
    modules = {"above": Above(cut=6), "copy": Copy(), "count": count}
    report = Job("t", source=numbers(10), modules=modules, paths={"p": ["above", "count"]}).run(mode)
    assert sorted(count.seen) == [7, 8, 9]
    assert report.modules["copy"].calls == 3


@MODES
def test_events_read_are_passed_failed_or_not_selected(mode: Any) -> None:
    modules = {"above": Above(cut=4), "fails": Fails(at=8)}
    job = Job("t", source=numbers(10), modules=modules, paths={"p": ["above", "fails"]}, on_error="skip")
    events = job.run(mode).events
    assert (events.read, events.passed, events.failed, events.not_selected) == (10, 4, 1, 5)


@MODES
def test_path_results_say_how_each_path_ended_and_who_decided(mode: Any) -> None:
    output = ListOutput()
    modules = {"above": Above(cut=2), "fails": Fails(at=4), "copy": Copy()}
    paths = {"a": ["above", "copy"], "b": ["fails"], "empty": []}
    Job("t", source=numbers(5), modules=modules, paths=paths, outputs=[output], on_error="continue").run(mode)
    assert output.rows[0].path_results == {
        "a": PathResult(PathState.FAIL, "above"),
        "b": PathResult(PathState.PASS),
        "empty": PathResult(PathState.PASS),
    }
    assert output.rows[4].path_results["b"] == PathResult(PathState.EXCEPTION, "fails")


@MODES
def test_an_output_selects_by_path_and_keeps_the_order_of_the_events(mode: Any) -> None:
    class Slow(Producer):
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            for _ in range(20 - event[self.x]):
                await asyncio.sleep(0)
            event[self.value] = event[self.x]

    output = ListOutput(keep=["slow"], select=["p"])
    modules = {"above": Above(cut=4), "slow": Slow()}
    Job("t", source=numbers(20), modules=modules, paths={"p": ["above", "slow"]}, outputs=[output], streams=20).run(
        mode
    )
    assert [row.products["slow"] for row in output.rows] == list(range(5, 20))


@MODES
def test_an_output_makes_a_kept_product_that_no_path_needed(mode: Any) -> None:
    output = ListOutput(keep=["copy"], select=["p"])
    modules = {"above": Above(cut=1), "copy": Copy()}
    report = Job("t", source=numbers(4), modules=modules, paths={"p": ["above"]}, outputs=[output]).run(mode)
    assert [row.products["copy"] for row in output.rows] == [2, 3]
    assert report.modules["copy"].calls == 2


@MODES
def test_an_analyzer_that_selects_a_path_runs_after_it_for_events_that_passed(mode: Any) -> None:
    count = Count(select=("p",))
    modules = {"above": Above(cut=6), "count": count}
    Job("t", source=numbers(10), modules=modules, paths={"p": ["above"]}).run(mode)
    assert sorted(count.seen) == [7, 8, 9]


@MODES
def test_the_default_policy_ends_the_job_and_shows_event_path_module_and_step(mode: Any) -> None:
    job = Job("t", source=numbers(5), modules={"fails": Fails()}, paths={"p": ["fails"]})
    with pytest.raises(ModuleError) as raised:
        job.run(mode)
    assert str(raised.value) == "module 'fails', step produce, path 'p', event 1:1:3: ValueError: a bad hit"
    assert isinstance(raised.value.__cause__, ValueError)
    assert raised.value.report is not None
    assert raised.value.report.events.failed == 1


@MODES
def test_the_policy_skip_gives_up_the_event_and_reports_it(mode: Any) -> None:
    report = Job("t", source=numbers(5), modules={"fails": Fails()}, paths={"p": ["fails"]}, on_error="skip").run(mode)
    assert report.events.passed == 4
    assert [str(failure.event) for failure in report.failures] == ["1:1:3"]


@MODES
def test_the_policy_continue_fails_only_what_depends_on_the_module(mode: Any) -> None:
    output = ListOutput(keep=["other"], select=["q"])
    modules = {"fails": Fails(), "user": Copy(x="fails"), "other": Copy()}
    job = Job(
        "t",
        source=numbers(4),
        modules=modules,
        paths={"p": ["user"], "q": ["other"]},
        outputs=[output],
        on_error="continue",
    )
    report = job.run(mode)
    assert [row.products["other"] for row in output.rows] == [0, 1, 2, 3]
    assert report.paths["p"]["exception"] == 1
    assert report.events.failed == 0
    assert report.errors == 1


@MODES
def test_a_module_that_raised_is_not_run_again_for_a_second_reader(mode: Any) -> None:
    modules = {"fails": Fails(), "one": Copy(x="fails"), "two": Copy(x="fails")}
    paths = {"p": ["one"], "q": ["two"]}
    report = Job("t", source=numbers(3), modules=modules, paths=paths, on_error="continue").run(mode)
    assert report.modules["fails"].calls == 3
    assert report.errors == 1
    assert report.paths["p"]["exception"] == report.paths["q"]["exception"] == 1


@MODES
@pytest.mark.parametrize("step", ["acquire", "external work", "produce"])
def test_an_error_names_the_step_of_external_work_that_raised(mode: Any, step: str) -> None:
    class Away(ExternalProducer[int, int]):
        x = Input[int]("x")
        value = Output[int]()

        def acquire(self, event: Event) -> int:
            assert step != "acquire"
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            await asyncio.sleep(0)
            assert step != "external work"
            return acquired

        def produce(self, event: Event, result: int) -> None:
            assert step != "produce"
            event[self.value] = result

    with pytest.raises(ModuleError) as raised:
        Job("t", source=numbers(1), modules={"away": Away()}, paths={"p": ["away"]}).run(mode)
    assert (raised.value.label, raised.value.step) == ("away", step)


@MODES
def test_external_work_that_cancels_itself_is_the_modules_error(mode: Any) -> None:
    class Cancels(ExternalProducer[int, int]):
        x = Input[int]("x")
        value = Output[int]()

        async def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            raise asyncio.CancelledError("given up")

        async def produce(self, event: Event, result: int) -> None:
            event[self.value] = result

    modules = {"cancels": Cancels()}
    report = Job("t", source=numbers(3), modules=modules, paths={"p": ["cancels"]}, on_error="skip").run(mode)
    assert report.events.failed == 3


@MODES
@pytest.mark.parametrize("answer", [None, "yes"])
def test_a_filter_that_answers_neither_true_nor_false_is_an_error(mode: Any, answer: Any) -> None:
    class Odd(Filter):
        def filter(self, event: Event) -> bool:
            return answer  # type: ignore[no-any-return]

    with pytest.raises(ModuleError, match=r"filter\(\) returned .*; a filter returns True or False"):
        Job("t", source=numbers(1), modules={"odd": Odd()}, paths={"p": ["odd"]}).run(mode)


@MODES
@pytest.mark.parametrize("plain", [True, False])
def test_a_producer_that_returns_its_product_is_told_to_put_it(mode: Any, plain: bool) -> None:
    class Returns(Producer):
        def produce(self, event: Event) -> None:
            return 5  # type: ignore[return-value]

    class ReturnsLater(Producer):
        async def produce(self, event: Event) -> None:
            return 5  # type: ignore[return-value]

    modules = {"returns": Returns() if plain else ReturnsLater()}
    with pytest.raises(ModuleError, match=r"produce\(\) returned int; put products with event\[self\.name\]"):
        Job("t", source=numbers(1), modules=modules, paths={"p": ["returns"]}).run(mode)


@MODES
def test_an_external_filter_decides_its_path(mode: Any) -> None:
    class Decide(ExternalFilter[int, bool]):
        x = Input[int]("x")

        async def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> bool:
            await asyncio.sleep(0)
            return acquired % 2 == 0

        async def filter(self, event: Event, result: bool) -> bool:
            return result

    count = Count()
    modules = {"decide": Decide(), "count": count}
    Job("t", source=numbers(6), modules=modules, paths={"p": ["decide", "count"]}).run(mode)
    assert sorted(count.seen) == [0, 2, 4]


@MODES
def test_a_job_of_no_events_ends_well(mode: Any) -> None:
    output = ListOutput(keep=["copy"])
    report = Job("t", source=EmptySource(events=0), modules={}, outputs=[]).run(mode)
    assert report.events.read == 0
    Job("t", source=numbers(0), modules={"copy": Copy()}, outputs=[output]).run(mode)
    assert output.closed
    assert output.rows == []


@MODES
def test_events_limits_what_is_read(mode: Any) -> None:
    assert Job("t", source=numbers(10), modules={}).run(mode, events=3).events.read == 3
    assert Job("t", source=numbers(10), modules={}, events=4).run(mode).events.read == 4
    assert Job("t", source=EmptySource(events=2), modules={}).run(mode, events=5).events.read == 5
    assert Job("t", source=numbers(10), modules={}).run(mode, events=0).events.read == 0


class Broken(Source):
    """Yields two events, then raises."""

    x = Output[int]()
    where = Parameter("record")

    def partitions(self) -> Iterator[Iterable[Entry]]:
        yield self.records()
        raise OSError("disk gone")

    def records(self) -> Iterator[Entry]:
        yield Entry(EventID(1, 1, 1), {"x": 1})
        yield Entry(EventID(1, 1, 2), {"x": 2})
        if self.where == "record":
            raise DataError("file.root, entry 2: the branch ends")


@MODES
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("record", "file.root, entry 2: the branch ends"),
        ("partition", "Broken failed after 2 events: OSError: disk gone"),
    ],
)
def test_a_source_that_fails_ends_the_job_with_what_was_read_done(mode: Any, where: str, text: str) -> None:
    job = Job("t", source=Broken(where=where), modules={"copy": Copy()}, paths={"p": ["copy"]})
    with pytest.raises(DataError) as raised:
        job.run(mode)
    assert text in str(raised.value)
    assert raised.value.report is not None
    assert raised.value.report.events.passed == 2


@MODES
def test_a_product_that_the_source_does_not_declare_is_its_error(mode: Any) -> None:
    class Sloppy(Broken):
        def records(self) -> Iterator[Entry]:
            yield Entry(EventID(1, 1, 1), {"y": 1})

    with pytest.raises(DataError, match="the source put 'y', which it does not declare"):
        Job("t", source=Sloppy(), modules={}).run(mode)


@MODES
def test_an_output_that_cannot_write_ends_the_job_with_its_error(mode: Any) -> None:
    class Full(ListOutput):
        def write(self, rows: Any) -> None:
            raise OSError("no space left")

    job = Job("t", source=numbers(200), modules={}, outputs=[Full(keep=["x"])])
    with pytest.raises(DataError, match="failed writing: OSError: no space left"):
        job.run(mode)


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


def test_each_stream_has_a_copy_with_a_state_of_its_own() -> None:
    class Stateful(Producer):
        x = Input[int]("x")
        value = Output[int]()

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.inside = False

        async def produce(self, event: Event) -> None:
            assert not self.inside
            self.inside = True
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.inside = False
            event[self.value] = 1

    report = Job("t", source=numbers(50), modules={"s": Stateful()}, paths={"p": ["s"]}, streams=8).run()
    assert report.events.passed == 50


def _crowd(kind_: Any, limit_: int | None, resources_: tuple[str, ...] = ()) -> type[Producer]:
    class Crowd(Producer):
        kind = kind_
        limit = limit_
        resources = resources_
        x = Input[int]("x")
        value = Output[int]()
        inside = 0
        most = 0

        async def produce(self, event: Event) -> None:
            Crowd.inside += 1
            Crowd.most = max(Crowd.most, Crowd.inside)
            for _ in range(40):
                await asyncio.sleep(0)
            Crowd.inside -= 1
            event[self.value] = 1

    return Crowd


@pytest.mark.parametrize(
    ("kind", "limit", "resources", "most"),
    [
        ("serial", None, (), 1),
        ("shared", 3, (), 3),
        ("stream", 2, (), 2),
        ("shared", None, ("geant",), 1),
        ("shared", None, (), 8),
    ],
)
def test_concurrent_calls_are_bounded_as_the_kind_says(
    kind: Any, limit: int | None, resources: tuple[str, ...], most: int
) -> None:
    crowd = _crowd(kind, limit, resources)
    Job("t", source=numbers(40), modules={"c": crowd()}, paths={"p": ["c"]}, streams=8).run()
    assert crowd.most == most  # type: ignore[attr-defined]


def test_a_resource_is_held_by_one_module_of_the_whole_job() -> None:
    inside: list[int] = []

    class Geant(Producer):
        kind = "shared"
        resources = ("geant",)
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            assert not inside
            inside.append(1)
            await asyncio.sleep(0)
            inside.pop()
            event[self.value] = 1

    modules = {"one": Geant(), "two": Geant()}
    report = Job("t", source=numbers(20), modules=modules, paths={"p": ["one"], "q": ["two"]}, streams=4).run()
    assert report.events.passed == 20


def test_a_serial_module_is_not_held_while_its_work_is_away() -> None:
    class Away(ExternalProducer[int, int]):
        kind = "serial"
        x = Input[int]("x")
        value = Output[int]()
        away = 0
        most = 0

        async def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            Away.away += 1
            Away.most = max(Away.most, Away.away)
            for _ in range(100):
                await asyncio.sleep(0)
            Away.away -= 1
            return acquired

        async def produce(self, event: Event, result: int) -> None:
            event[self.value] = result

    Job("t", source=numbers(30), modules={"away": Away()}, paths={"p": ["away"]}, streams=6).run()
    assert Away.most == 6


def test_streams_bound_the_events_in_flight() -> None:
    class Watch(Listener):
        inside = most = 0

        def event_begins(self, event: EventID, number: int, time: float) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)

        def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
            self.inside -= 1

    watch = Watch()
    crowd = _crowd("shared", None)
    Job("t", source=numbers(40), modules={"c": crowd()}, paths={"p": ["c"]}, streams=5).run(listeners=[watch])
    assert watch.most == 5


def test_current_task_timeout_and_taskgroup_work_inside_a_module() -> None:
    class Careful(Producer):
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            assert asyncio.current_task() is not None
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.sleep(0, event[self.x]))
            event[self.value] = task.result()

    output = ListOutput(keep=["c"])
    Job("t", source=numbers(9), modules={"c": Careful()}, paths={"p": ["c"]}, outputs=[output], streams=3).run()
    assert [row.products["c"] for row in output.rows] == list(range(9))


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


def test_a_listener_that_raises_is_disabled_with_a_warning_and_the_job_goes_on() -> None:
    class Bad(Listener):
        def event_begins(self, event: EventID, number: int, time: float) -> None:
            raise KeyError("oops")

    with pytest.warns(RuntimeWarning, match="listener Bad raised and is disabled"):
        report = Job("t", source=numbers(3), modules={}).run(listeners=[Bad()])
    assert report.events.read == 3


@MODES
def test_a_trace_has_every_step_of_the_events_that_it_keeps(mode: Any) -> None:
    trace = Trace(1, 3)
    Job("t", source=numbers(5), modules={"copy": Copy()}, paths={"p": ["copy"]}).run(mode, listeners=[trace])
    assert sorted((span.event, span.label, span.step) for span in trace.spans) == [
        (1, "copy", "produce"),
        (2, "copy", "produce"),
    ]
    assert all(span.stop >= span.start >= 0 for span in trace.spans)


def test_without_timing_the_report_has_no_modules() -> None:
    assert Job("t", source=numbers(3), modules={"copy": Copy()}, paths={"p": ["copy"]}).run(timing=False).modules == {}


def test_an_unknown_mode_is_a_fault_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="there is no mode 'blokcing': did you mean 'blocking'"):
        Job("t", source=numbers(3), modules={}).run("blokcing")  # type: ignore[arg-type]


async def test_run_inside_a_running_loop_says_what_to_await() -> None:
    with pytest.raises(ConfigurationError, match=r"use `await job\.run_async\(\)`"):
        Job("t", source=numbers(3), modules={}).run()


def test_settings_of_one_module_can_be_changed_by_label() -> None:
    job = Job("t", source=numbers(10), modules={"above": Above()}, paths={"p": ["above"]})
    assert job.replace(settings={"above.cut": 5}).run().events.passed == 4
    assert job.run().events.passed == 9


def test_wrong_settings_are_all_named() -> None:
    job = Job("t", source=numbers(1), modules={"above": Above()})
    with pytest.raises(ConfigurationError) as raised:
        job.replace(settings={"abvoe.cut": 5, "cut": 3})
    assert "there is no module 'abvoe' (did you mean 'above'?)" in str(raised.value)
    assert "--set cut: must be label.parameter=value" in str(raised.value)


def test_the_report_is_json() -> None:
    import json

    report = Job("t", source=numbers(4), modules={"fails": Fails()}, paths={"p": ["fails"]}, on_error="skip").run()
    read = json.loads(report.to_json())
    assert read["events"] == {"read": 4, "passed": 3, "failed": 1, "not_selected": 0}
    assert read["failures"] == [
        {"event": "1:1:3", "path": "p", "module": "fails", "step": "produce", "error": "ValueError: a bad hit"}
    ]


def test_a_constructor_may_keep_its_tokens_elsewhere_in_every_stream() -> None:
    class Sums(Producer):
        first = Input[int]("x")
        second = Input[int]("y")
        total = Output[int]()

        def __init__(self) -> None:
            super().__init__()
            self.both = [self.first, self.second]

        async def produce(self, event: Event) -> None:
            await asyncio.sleep(0)
            event[self.total] = sum(event[each] for each in self.both)

    output = ListOutput(keep=["sums"])
    source = ListSource([{"x": n, "y": 10 * n} for n in range(9)])
    Job("t", source=source, modules={"sums": Sums()}, outputs=[output], streams=3).run()
    assert [row.products["sums"] for row in output.rows] == [11 * n for n in range(9)]
