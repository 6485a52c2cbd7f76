"""Twenty edge cases of event processing with external work, each by its number; those of sections, of switches
and of aliases have files of their own."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import (
    Analyzer,
    ConfigurationError,
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
    Report,
)
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
POLICIES = pytest.mark.parametrize("policy", ["stop", "skip", "continue"])


class Copy(Producer):
    x = Input[int]("x")
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = event[self.x]


class Above(Filter):
    x = Input[int]("x")
    cut = Parameter(0, doc="passes above")

    async def filter(self, event: Event) -> bool:
        return event[self.x] > self.cut


class Fails(Producer):
    """Raises for every event, at once or after it has waited."""

    x = Input[int]("x")
    value = Output[int]()
    waits = Parameter(True)

    async def produce(self, event: Event) -> None:
        if self.waits:
            await asyncio.sleep(0)
        raise ValueError("a bad hit")


class See(Analyzer):
    """Notes what it reads, None where that is absent."""

    kind = "shared"
    x = Input[int]("x")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[int | None] = []

    def analyze(self, event: Event) -> None:
        self.seen.append(event.get(self.x))


class SeeIfThere(See):
    """The same, which runs also where what should have put it has failed."""

    x = Input[int]("x", optional=True)


class Away(ExternalProducer[int, int]):
    """Its external work is the function that it is made with; `steps` are what it did, in order."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, work: Callable[[int], Awaitable[Any]], **settings: Any) -> None:
        super().__init__(**settings)
        self.work = work
        self.steps: list[tuple[str, int]] = []

    def acquire(self, event: Event) -> int:
        self.steps.append(("acquire", event[self.x]))
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        self.steps.append(("work", acquired))
        result: int = await self.work(acquired)
        return result

    def produce(self, event: Event, result: int) -> None:
        self.steps.append(("produce", event[self.x]))
        event[self.value] = result


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])


def job(modules: dict[str, Any], count: int = 3, keep: Sequence[str] = (), **settings: Any) -> tuple[Job, ListOutput]:
    """A job whose events hold x from 0, with every module on a path of its own unless paths are given."""
    output = ListOutput(keep=keep)
    settings = {"paths": {f"p_{label}": [label] for label in modules}, **settings}
    return Job("t", source=numbers(count), modules=modules, outputs=[output], **settings), output


def rows(output: ListOutput, name: str) -> list[Any]:
    return [row.products[name] for row in output.rows]


async def at_once(acquired: int) -> int:
    return acquired * 10


async def much_later(acquired: int) -> int:
    for _ in range(20 - 5 * acquired):
        await asyncio.sleep(0)
    return acquired * 10


async def of_a_done_future(acquired: int) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(acquired * 10)
    return await future


async def of_a_thread(acquired: int) -> int:
    return await asyncio.to_thread(lambda: acquired * 10)


WORKS = pytest.mark.parametrize("work", [at_once, much_later, of_a_done_future, of_a_thread])


@MODES
@WORKS
@pytest.mark.parametrize("kind", ["stream", "shared", "serial"])
def test_edge_02_external_work_that_is_done_at_once_or_later_gives_each_event_its_own_result(
    mode: Any, work: Any, kind: Any
) -> None:
    class Kind(Away):
        pass

    Kind.kind = kind
    made, output = job({"away": Kind(work)}, 4, keep=["away"], streams=4)
    assert made.run(mode).events.passed == 4
    assert rows(output, "away") == [0, 10, 20, 30]


@MODES
@WORKS
def test_edge_02_the_steps_of_an_event_come_once_and_in_order(mode: Any, work: Any) -> None:
    away = Away(work)
    made, _ = job({"away": away}, 4, streams=4)
    made.run(mode)
    for number in range(4):
        assert [step for step, x in away.steps if x == number] == ["acquire", "work", "produce"]


class Early(ExternalProducer["asyncio.Future[int]", int]):
    """Its work is over while acquire still runs."""

    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    async def acquire(self, event: Event) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: self.log.append("work is over"))
        asyncio.get_running_loop().call_soon(future.set_result, event[self.x] * 10)
        for _ in range(5):
            await asyncio.sleep(0)
        self.log.append("acquire returns")
        return future

    async def external_work(self, acquired: asyncio.Future[int]) -> int:
        return await acquired

    async def produce(self, event: Event, result: int) -> None:
        self.log.append("produce")
        event[self.value] = result


@MODES
def test_edge_02_produce_does_not_overlap_acquire_where_the_work_ends_before_it(mode: Any) -> None:
    log: list[str] = []
    made, output = job({"early": Early(log)}, 3, keep=["early"], streams=1)
    made.run(mode)
    assert log == ["work is over", "acquire returns", "produce"] * 3
    assert rows(output, "early") == [0, 10, 20]


@MODES
def test_edge_02_a_plain_external_work_that_returns_a_future_is_awaited(mode: Any) -> None:
    class Plain(Away):
        def external_work(self, acquired: int) -> Any:  # type: ignore[override]
            return of_a_done_future(acquired)

    made, output = job({"plain": Plain(at_once)}, 3, keep=["plain"], streams=3)
    made.run(mode)
    assert rows(output, "plain") == [0, 10, 20]


async def raises_at_once(acquired: int) -> int:
    raise ValueError("dropped")


async def raises_later(acquired: int) -> int:
    await asyncio.sleep(0)
    raise ValueError("dropped")


async def of_a_failed_future(acquired: int) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("dropped"))
    return await future


async def of_a_cancelled_future(acquired: int) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel, "dropped")
    return await future


async def of_a_cancelled_task(acquired: int) -> int:
    task = asyncio.create_task(much_later(acquired))
    asyncio.get_running_loop().call_soon(task.cancel)
    return await task


DROPS = pytest.mark.parametrize(
    "drops", [raises_at_once, raises_later, of_a_failed_future, of_a_cancelled_future, of_a_cancelled_task]
)


@MODES
@DROPS
def test_edge_03_work_that_is_dropped_fails_its_event_once_and_no_other(mode: Any, drops: Any) -> None:
    async def work(acquired: int) -> int:
        return await drops(acquired) if acquired == 1 else await much_later(acquired)  # type: ignore[no-any-return]

    away = Away(work)
    made, output = job({"away": away}, 4, keep=["away"], streams=4, on_error="skip")
    report = made.run(mode)
    assert rows(output, "away") == [0, 20, 30]
    assert [(str(failure.event), failure.error.step) for failure in report.failures] == [("1:1:2", "external work")]
    assert ("produce", 1) not in away.steps
    assert report.cancelled == 0


@MODES
def test_edge_03_work_without_a_result_gives_none_to_produce(mode: Any) -> None:
    class Forgets(Away):
        def produce(self, event: Event, result: int) -> None:
            event[self.value] = -1 if result is None else result

    async def nothing(acquired: int) -> None:
        await asyncio.sleep(0)

    made, output = job({"away": Forgets(nothing)}, 2, keep=["away"])
    made.run(mode)
    assert rows(output, "away") == [-1, -1]


async def signalled_twice(acquired: int) -> int:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()

    def signal(value: int) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_result(value)

    loop.call_soon(signal, acquired * 10)
    loop.call_soon(signal, -1)
    return await future


async def signalled_and_cancelled(acquired: int) -> int:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    loop.call_soon(future.set_result, acquired * 10)
    loop.call_soon(future.cancel)
    return await future


@MODES
@pytest.mark.parametrize("work", [signalled_twice, signalled_and_cancelled])
def test_edge_03_work_that_is_signalled_twice_is_over_once_with_the_first_result(mode: Any, work: Any) -> None:
    away = Away(work)
    made, output = job({"away": away}, 4, keep=["away"], streams=4)
    assert made.run(mode).events.passed == 4
    assert rows(output, "away") == [0, 10, 20, 30]
    assert sorted(away.steps) == sorted((step, x) for step in ("acquire", "work", "produce") for x in range(4))


@pytest.mark.parametrize(
    "mode",
    [
        "async",
        "blocking",
        "threads",
    ],
)
def test_edge_03_an_external_work_that_cannot_be_awaited_is_the_modules_error(mode: Any) -> None:
    class Returns(Away):
        def external_work(self, acquired: int) -> Any:  # type: ignore[override]
            return acquired

    made, _ = job({"away": Returns(at_once)}, 2)
    with pytest.raises(ModuleError, match="module 'away', step external work"):
        made.run(mode)


class FailsIn(ExternalFilter[int, int]):
    """Raises in the step that is named, of the event whose x is 1, at once or after it has waited."""

    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, step: str, waits: bool) -> None:
        super().__init__()
        self.step, self.waits = step, waits

    async def maybe(self, step: str, x: int) -> None:
        if self.waits:
            await asyncio.sleep(0)
        if step == self.step and x == 1:
            raise ValueError(f"in {step}")

    async def acquire(self, event: Event) -> int:
        await self.maybe("acquire", event[self.x])
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        await self.maybe("external work", acquired)
        return acquired

    async def filter(self, event: Event, result: int) -> bool:
        await self.maybe("filter", result)
        event[self.value] = result
        return True


STEPS = pytest.mark.parametrize("step", ["acquire", "external work", "filter"])
WAITS = pytest.mark.parametrize("waits", [False, True])


@MODES
@STEPS
@WAITS
@POLICIES
def test_edge_04_an_exception_in_any_step_is_reported_once_with_its_context(
    mode: Any, step: str, waits: bool, policy: Any
) -> None:
    made, _ = job({"fails": FailsIn(step, waits)}, 3, on_error=policy, streams=3)
    report, error = outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    assert report.errors == len(report.failures) == 1
    found = report.failures[0].error
    assert (found.label, found.step, found.path, found.event) == ("fails", step, "p_fails", EventID(1, 1, 2))
    assert isinstance(found.__cause__, ValueError)
    assert str(found).endswith(f"event 1:1:2: ValueError: in {step}")
    assert error is None or error is found


def outcome(made: Job, mode: Any) -> tuple[Report, ModuleError | None]:
    """The report of a job, and the error that it raised."""
    try:
        return made.run(mode), None
    except ModuleError as error:
        assert error.report is not None
        return error.report, error


@MODES
@STEPS
def test_edge_04_an_exception_of_a_module_on_demand_names_the_path_that_it_serves(mode: Any, step: str) -> None:
    modules = {"fails": FailsIn(step, True), "use": Copy(x="fails"), "again": Copy(x="fails")}
    made, _ = job(modules, 2, paths={"first": ["use"], "second": ["again"]})
    with pytest.raises(ModuleError) as raised:
        made.run(mode)
    assert (raised.value.label, raised.value.path) == ("fails", "first")


@MODES
@STEPS
def test_edge_04_an_exception_after_all_paths_names_no_path(mode: Any, step: str) -> None:
    made, _ = job({"fails": FailsIn(step, True)}, 2, keep=["fails"], paths={})
    with pytest.raises(ModuleError) as raised:
        made.run(mode)
    assert (raised.value.label, raised.value.path, raised.value.event) == ("fails", "", EventID(1, 1, 2))


@MODES
@pytest.mark.parametrize("streams", [1, 4])
def test_edge_04_of_several_exceptions_the_oldest_events_is_the_one_that_is_raised(mode: Any, streams: int) -> None:
    async def work(acquired: int) -> int:
        for _ in range(20 - 5 * acquired):
            await asyncio.sleep(0)
        raise ValueError("late" if acquired == 0 else "early")

    made, _ = job({"away": Away(work)}, 4, streams=streams)
    with pytest.raises(ModuleError, match="event 1:1:1: ValueError: late") as raised:
        made.run(mode)
    report = raised.value.report
    assert report is not None
    assert [failure.number for failure in report.failures] == list(range(report.events.failed))


class Runs:
    """How often each event was seen by modules that raise."""

    def __init__(self) -> None:
        self.of: list[int] = []


class CountedFailure(Fails):
    kind = "shared"

    def __init__(self, runs: Runs, **settings: Any) -> None:
        super().__init__(**settings)
        self.runs = runs

    async def produce(self, event: Event) -> None:
        self.runs.of.append(event[self.x])
        await super().produce(event)


class CountedAway(Away):
    def __init__(self, runs: Runs, **settings: Any) -> None:
        async def work(acquired: int) -> int:
            runs.of.append(acquired)
            return await raises_later(acquired)

        super().__init__(work, **{name: value for name, value in settings.items() if name != "waits"})


@MODES
@WAITS
@pytest.mark.parametrize("failing", [CountedFailure, CountedAway])
@pytest.mark.parametrize("on_path", [False, True])
def test_edge_05_two_consumers_fail_with_the_one_error_of_a_module_that_ran_once(
    mode: Any, waits: bool, failing: Any, on_path: bool
) -> None:
    runs = Runs()
    one, two = See(x="fails"), See(x="fails")
    modules = {"fails": failing(runs, waits=waits), "one": one, "two": two, "last": See(x="x")}
    paths = {"p": ["one", "last"], "q": ["two"]} | ({"r": ["fails"]} if on_path else {})
    made, output = job(modules, 3, paths=paths, on_error="continue", streams=3)
    report = made.run(mode)
    assert sorted(runs.of) == [0, 1, 2]
    assert one.seen == two.seen == []
    assert report.errors == 3
    assert [failure.error.label for failure in report.failures] == ["fails"] * 3
    assert [report.paths[name]["exception"] for name in paths] == [3] * len(paths)
    assert report.events.failed == 3
    assert output.rows == []


@MODES
def test_edge_05_a_module_that_reads_two_that_raise_is_told_of_neither_twice(mode: Any) -> None:
    class Both(Analyzer):
        one = Input[int]("one")
        two = Input[int]("two")

        def analyze(self, event: Event) -> None: ...

    modules = {"one": Fails(waits=True), "two": Fails(waits=False), "both": Both()}
    made, _ = job(modules, 2, paths={"p": ["both"]}, on_error="continue")
    report = made.run(mode)
    assert sorted(failure.error.label for failure in report.failures) == ["one", "one", "two", "two"]
    assert report.paths["p"]["exception"] == 2


@MODES
def test_edge_05_a_chain_behind_a_module_that_raises_fails_as_a_whole_and_is_reported_once(mode: Any) -> None:
    last = See(x="third")
    modules = {"first": Fails(), "second": Copy(x="first"), "third": Copy(x="second"), "last": last}
    made, _ = job(modules, 2, paths={"p": ["last"]}, on_error="continue")
    report = made.run(mode)
    assert [failure.error.label for failure in report.failures] == ["first", "first"]
    assert last.seen == []


@MODES
def test_edge_05_one_consumer_that_can_do_without_runs_and_the_other_fails(mode: Any) -> None:
    needs, may = See(x="fails"), SeeIfThere(x="fails")
    modules = {"fails": Fails(), "needs": needs, "may": may}
    made, _ = job(modules, 2, paths={"p": ["needs"], "q": ["may"]}, on_error="continue")
    report = made.run(mode)
    assert (needs.seen, may.seen) == ([], [None, None])
    assert (report.paths["p"]["exception"], report.paths["q"]["pass"], report.errors) == (2, 2, 2)


class FailsAt(Fails):
    """The same, only where x is 1."""

    async def produce(self, event: Event) -> None:
        if event[self.x] == 1:
            await super().produce(event)
        event[self.value] = event[self.x]


KEEPS = pytest.mark.parametrize("kept", [True, False])


@MODES
@POLICIES
@KEEPS
def test_edge_07_an_output_met_by_a_failure_on_demand_writes_what_the_policy_allows(
    mode: Any, policy: Any, kept: bool
) -> None:
    modules = {"good": Copy(), "fails": FailsAt(), "see": See(x="fails")}
    keep = ["x", "fails"] if kept else ["x"]
    made, output = job(modules, 3, keep=keep, paths={"p": ["good"]}, on_error=policy, streams=1)
    report, error = outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    assert rows(output, "x") == {"stop": [0], "skip": [0, 2], "continue": [0, 2] if kept else [0, 1, 2]}[policy]
    assert report.events.failed == {"stop": 1, "skip": 1, "continue": 0}[policy]
    assert report.errors == 1


@MODES
@KEEPS
def test_edge_07_only_the_output_that_depends_on_the_failure_goes_without_its_row(mode: Any, kept: bool) -> None:
    needs, free = ListOutput(keep=["fails"]), ListOutput(keep=["x"], select=["p"])
    modules = {"good": Copy(), "fails": FailsAt()}
    made = Job(
        "t",
        source=numbers(3),
        modules=modules,
        paths={"p": ["good"]},
        outputs=[needs, free] if kept else [free],
        on_error="continue",
    )
    report = made.run(mode)
    assert rows(free, "x") == [0, 1, 2]
    assert rows(needs, "fails") == ([0, 2] if kept else [])
    assert report.errors == (1 if kept else 0)


@MODES
def test_edge_07_an_event_that_passed_no_path_and_met_a_failure_has_failed_and_is_not_written(mode: Any) -> None:
    modules = {"above": Above(cut=5), "fails": FailsAt()}
    made, output = job(modules, 3, keep=["x"], paths={"p": ["above"], "q": ["fails", "above"]}, on_error="continue")
    report = made.run(mode)
    assert (report.events.passed, report.events.failed, report.events.not_selected) == (0, 1, 2)
    assert rows(output, "x") == [0, 2]


@MODES
def test_edge_07_a_selecting_output_does_not_wake_a_failure_that_no_passed_path_needs(mode: Any) -> None:
    modules = {"above": Above(cut=1), "fails": FailsAt()}
    output = ListOutput(keep=["fails"], select=["p"])
    report = Job("t", source=numbers(3), modules=modules, paths={"p": ["above"]}, outputs=[output]).run(mode)
    assert (rows(output, "fails"), report.errors) == ([2], 0)


def with_policy(base: type[Any], policy: str | None) -> type[Any]:
    """The class with a policy of its own."""
    return type(base.__name__, (base,), {"on_error": policy, "__module__": base.__module__})


@MODES
@POLICIES
@pytest.mark.parametrize("dependent", ["stop", "skip", "continue", None])
@pytest.mark.parametrize("default", ["stop", "skip", "continue"])
def test_edge_08_the_policy_of_the_failing_module_decides_and_not_the_dependents(
    mode: Any, policy: Any, dependent: Any, default: Any
) -> None:
    fails, use = with_policy(FailsAt, policy)(), with_policy(See, dependent)(x="fails")
    paths = {"p": ["use"], "q": ["good"]}
    made, output = job({"fails": fails, "use": use, "good": Copy()}, 3, keep=["x"], paths=paths, on_error=default)
    made = made.replace(streams=1)
    report, error = outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    assert use.seen == ([0] if policy == "stop" else [0, 2])
    assert rows(output, "x") == {"stop": [0], "skip": [0, 2], "continue": [0, 1, 2]}[policy]
    assert report.events.failed == (0 if policy == "continue" else 1)
    assert report.paths["p"]["exception"] == (1 if policy == "continue" else 0)


@MODES
@POLICIES
def test_edge_08_a_module_without_a_policy_follows_the_jobs(mode: Any, policy: Any) -> None:
    made, output = job({"fails": FailsAt(), "good": Copy()}, 3, keep=["x"], on_error=policy, streams=1)
    _, error = outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    assert rows(output, "x") == {"stop": [0], "skip": [0, 2], "continue": [0, 1, 2]}[policy]


@MODES
@POLICIES
def test_edge_08_an_optional_reader_runs_without_the_product_where_the_event_goes_on(mode: Any, policy: Any) -> None:
    may = SeeIfThere(x="fails")
    made, _ = job({"fails": with_policy(FailsAt, policy)(), "may": may}, 3, paths={"p": ["may"]}, streams=1)
    outcome(made, mode)
    assert may.seen == {"stop": [0], "skip": [0, 2], "continue": [0, None, 2]}[policy]


@MODES
def test_edge_08_a_reader_with_one_optional_and_one_needed_input_of_the_failing_module_fails(mode: Any) -> None:
    class Mixed(SeeIfThere):
        again = Input[int]("fails")

    mixed = Mixed(x="fails")
    made, _ = job({"fails": FailsAt(), "mixed": mixed}, 3, paths={"p": ["mixed"]}, on_error="continue")
    assert made.run(mode).paths["p"]["exception"] == 1
    assert mixed.seen == [0, 2]


@MODES
def test_edge_08_the_error_of_a_dependent_that_raises_itself_follows_its_own_policy(mode: Any) -> None:
    class Insists(SeeIfThere):
        on_error = "skip"

        def analyze(self, event: Event) -> None:
            if self.x not in event:
                raise ValueError("cannot do without")

    made, output = job({"fails": FailsAt(), "insists": Insists(x="fails")}, 3, keep=["x"], on_error="continue")
    report = made.run(mode)
    assert rows(output, "x") == [0, 2]
    assert sorted(failure.error.label for failure in report.failures) == ["fails", "insists"]


class FilterFails(Filter):
    x = Input[int]("x")
    on_error = "continue"

    async def filter(self, event: Event) -> bool:
        await asyncio.sleep(0)
        if event[self.x] == 1:
            raise ValueError("undecided")
        return True


@MODES
def test_edge_08_a_filter_that_raises_ends_its_path_with_its_error_and_no_other_path(mode: Any) -> None:
    behind, other = See(), See()
    modules = {"fails": FilterFails(), "behind": behind, "other": other}
    made, output = job(modules, 3, paths={"p": ["fails", "behind"], "q": ["other"]})
    made.run(mode)
    assert (sorted(map(str, behind.seen)), len(other.seen)) == (["0", "2"], 3)
    assert output.rows[1].path_results == {
        "p": PathResult(PathState.EXCEPTION, "fails"),
        "q": PathResult(PathState.PASS),
    }


DEPTHS = pytest.mark.parametrize(
    ("mode", "deep"),
    [
        ("async", 100),
        ("blocking", 100),
        ("threads", 100),
        ("async", 500),
        ("blocking", 500),
        ("threads", 500),
    ],
)


class CopyLater(Copy):
    async def produce(self, event: Event) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        event[self.value] = event[self.x]


def chain(first: Any, link: Callable[..., Any], deep: int) -> dict[str, Any]:
    """Modules m0, the first, to m(deep), each of which reads the one before; written in the wrong order."""
    links = {f"m{n}": link(x=f"m{n - 1}") for n in range(deep, 0, -1)}
    return {**links, "m0": first}


@DEPTHS
@pytest.mark.parametrize("link", [Copy, CopyLater])
def test_edge_09_a_deep_chain_on_demand_is_run_from_its_far_end(mode: Any, link: Any, deep: int) -> None:
    made, output = job(chain(Copy(), link, deep), 3, keep=[f"m{deep}"], paths={}, streams=3)
    report = made.run(mode)
    assert rows(output, f"m{deep}") == [0, 1, 2]
    assert all(times.calls == 3 for times in report.modules.values())


@MODES
def test_edge_09_a_deep_chain_behind_external_work_is_run_from_its_far_end(mode: Any) -> None:
    made, output = job(chain(Away(much_later), Copy, 100), 3, keep=["m100"], paths={}, streams=3)
    made.run(mode)
    assert rows(output, "m100") == [0, 10, 20]


@DEPTHS
def test_edge_09_a_failure_at_the_far_end_of_a_deep_chain_is_reported_once(mode: Any, deep: int) -> None:
    made, output = job(chain(FailsAt(), Copy, deep), 3, keep=[f"m{deep}"], paths={}, on_error="continue")
    report = made.run(mode)
    assert rows(output, f"m{deep}") == [0, 2]
    assert [(failure.error.label, str(failure.event)) for failure in report.failures] == [("m0", "1:1:2")]


@MODES
def test_edge_09_a_wide_and_deep_graph_on_demand_runs_every_module_once(mode: Any) -> None:
    class Sum(Producer):
        x = Input[int]("x")
        y = Input[int]("x")
        value = Output[int]()

        def produce(self, event: Event) -> None:
            event[self.value] = (event[self.x] + event[self.y]) % 1009

    modules: dict[str, Any] = {"m0": Copy(), "m1": Copy()}
    modules |= {f"m{n}": Sum(x=f"m{n - 1}", y=f"m{n - 2}") for n in range(2, 60)}
    made, output = job(modules, 2, keep=["m59"], paths={"p": ["m59"]})
    report = made.run(mode)
    before, value = 1, 1
    for _ in range(2, 60):
        before, value = value, (value + before) % 1009
    assert rows(output, "m59") == [0, value]
    assert all(times.calls == 2 for times in report.modules.values())


@pytest.mark.parametrize("paths", [{"p": ["two", "one"]}, {"good": ["one", "two"], "bad": ["two", "above", "one"]}])
def test_edge_09_a_wrong_order_on_a_path_is_a_fault_that_says_what_to_put_first(paths: dict[str, list[str]]) -> None:
    made, _ = job({"one": Copy(), "two": Copy(x="one"), "above": Above()}, paths=paths)
    with pytest.raises(ConfigurationError, match=r"'two' reads 'one', which comes after it \(put 'one' first\)"):
        made.run()


@MODES
def test_edge_09_two_paths_may_name_independent_modules_in_opposite_order(mode: Any) -> None:
    made, _ = job({"one": Copy(), "two": Copy()}, 2, paths={"p": ["one", "two"], "q": ["two", "one"]})
    report = made.run(mode)
    assert report.paths["p"]["pass"] == report.paths["q"]["pass"] == 2
    assert report.modules["one"].calls == 2


BRAIDED = pytest.mark.parametrize("mode", ["async", "threads"])
"""Blocking mode has one event at a time, and drops products with it."""


class Heavy:
    """A product that is worth dropping early."""


class MakeHeavy(Producer):
    kind = "shared"
    value = Output[Heavy]()
    n = Output[int]()

    def __init__(self) -> None:
        super().__init__()
        self.refs: dict[int, weakref.ref[Heavy]] = {}

    def produce(self, event: Event) -> None:
        heavy = Heavy()
        self.refs[event.id.event] = weakref.ref(heavy)
        event[self.value] = heavy
        event[self.n] = event.id.event

    def alive(self, event: Event) -> bool:
        return self.refs[event.id.event]() is not None


class Use(Producer):
    """Reads what is heavy and puts a number."""

    kind = "shared"
    heavy = Input[Heavy]("make.value")
    done = Output[int]()

    def __init__(self, waits: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.waits = waits

    async def produce(self, event: Event) -> None:
        assert isinstance(event[self.heavy], Heavy)
        if self.waits:
            await asyncio.sleep(0)
            assert isinstance(event[self.heavy], Heavy)
        event[self.done] = 1


class IfDone(Filter):
    """Passes once what it reads is there."""

    done = Input[int]("use")

    def filter(self, event: Event) -> bool:
        return event[self.done] > 0


class Alive(Analyzer):
    """Notes for each event whether the heavy product is still there."""

    kind = "shared"
    x = Input[int]("make.n")

    def __init__(self, make: MakeHeavy, **settings: Any) -> None:
        super().__init__(**settings)
        self.make = make
        self.seen: list[bool] = []

    async def analyze(self, event: Event) -> None:
        self.seen.append(self.make.alive(event))


@BRAIDED
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("on_path", [False, True])
def test_edge_10_a_heavy_product_is_gone_after_its_last_reader(mode: Any, waits: bool, on_path: bool) -> None:
    make = MakeHeavy()
    alive = Alive(make)
    modules = {"make": make, "use": Use(waits), "if_done": IfDone(), "alive": alive}
    path = ["use", "if_done", "alive"]
    made, _ = job(modules, 3, paths={"p": ["make", *path] if on_path else path}, streams=3)
    made.run(mode)
    assert alive.seen == [False] * 3


@BRAIDED
def test_edge_10_a_heavy_product_without_a_reader_is_gone_once_its_module_has_ended(mode: Any) -> None:
    make = MakeHeavy()
    alive = Alive(make)
    made, _ = job({"make": make, "if_done": IfDone(done="make.n"), "alive": alive}, paths={"p": ["if_done", "alive"]})
    made.run(mode)
    assert alive.seen == [False] * 3


@MODES
def test_edge_10_a_heavy_product_that_an_output_keeps_is_there_for_it(mode: Any) -> None:
    made, output = job({"make": MakeHeavy(), "use": Use(True)}, 3, keep=["make.value"], paths={"p": ["use"]})
    made.run(mode)
    assert all(isinstance(kept, Heavy) for kept in rows(output, "make.value"))


@BRAIDED
def test_edge_10_a_heavy_product_behind_a_filter_is_gone_after_its_last_reader_has_waited(mode: Any) -> None:
    make = MakeHeavy()
    alive = Alive(make)
    modules = {"above": Above(cut=-1), "make": make, "use": Use(waits=True), "if_done": IfDone(), "alive": alive}
    made, _ = job(modules, 3, paths={"p": ["above", "make", "use", "if_done", "alive"]}, streams=3)
    made.run(mode)
    assert alive.seen == [False] * 3


class AwayAfter(Away):
    """Its work is away while a heavy product that was read before is not needed any more."""

    x = Input[int]("use")

    def __init__(self, make: MakeHeavy) -> None:
        self.alive: list[bool] = []

        async def look() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            self.alive += [ref() is not None for ref in make.refs.values()]

        async def work(acquired: int) -> int:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(look(), self.loop))
            return acquired

        super().__init__(work)

    def acquire(self, event: Event) -> int:
        self.loop = asyncio.get_running_loop()
        return super().acquire(event)


class WaitsAfter(Producer):
    """The same, waiting in its own step."""

    kind = "shared"
    x = Input[int]("use")
    value = Output[int]()

    def __init__(self, make: MakeHeavy) -> None:
        super().__init__()
        self.make = make
        self.alive: list[bool] = []

    async def produce(self, event: Event) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.alive.append(self.make.alive(event))
        event[self.value] = 1


@BRAIDED
@pytest.mark.parametrize(
    ("first", "waits", "later"),
    [
        ([], False, AwayAfter),
        ([], True, AwayAfter),
        (["above"], True, AwayAfter),
        (["above"], False, AwayAfter),
        ([], True, WaitsAfter),
        (["above"], True, WaitsAfter),
        ([], False, WaitsAfter),
        (["above"], False, WaitsAfter),
    ],
)
def test_edge_10_a_heavy_product_is_gone_while_a_later_module_waits(
    mode: Any, first: list[str], waits: bool, later: Any
) -> None:
    if mode == "threads" and later is AwayAfter:
        return  # its external work begins in its thread at once, while the loop is still on its way to the drop
    make = MakeHeavy()
    waiting = later(make)
    modules = {"above": Above(cut=-1), "make": make, "use": Use(waits), "waiting": waiting}
    made, _ = job(modules, 1, paths={"p": [*first, "make", "use", "waiting"]})
    made.run(mode)
    assert waiting.alive == [False]


class Tells(Alive):
    """Tells another module to go on, once it has looked."""

    def __init__(self, make: MakeHeavy, told: asyncio.Event, **settings: Any) -> None:
        super().__init__(make, **settings)
        self.told = told

    async def analyze(self, event: Event) -> None:
        await super().analyze(event)
        self.told.set()


class UseWhenTold(Use):
    def __init__(self, told: asyncio.Event, **settings: Any) -> None:
        super().__init__(**settings)
        self.told = told

    async def produce(self, event: Event) -> None:
        await self.told.wait()
        await super().produce(event)


@BRAIDED
@pytest.mark.parametrize("paths", [1, 2])
def test_edge_10_a_heavy_product_stays_for_the_last_of_several_readers(mode: Any, paths: int) -> None:
    make, told = MakeHeavy(), asyncio.Event()
    between, after = Tells(make, told, x="one"), Alive(make, x="later")
    modules = {"make": make, "one": Use(), "between": between, "two": UseWhenTold(told)}
    modules |= {"later": CopyLater(x="two"), "after": after}
    named = {"p": ["one", "between"], "q": ["two", "after"]} if paths == 2 else {"p": list(modules)}
    made, _ = job(modules, 1, paths=named)
    made.run(mode)
    assert (between.seen, after.seen) == ([True], [False])


@BRAIDED
def test_edge_10_a_heavy_product_is_gone_where_its_last_reader_is_behind_a_filter_that_did_not_pass(mode: Any) -> None:
    make = MakeHeavy()
    alive = Alive(make, x="later")
    modules = {"make": make, "above": Above(cut=0), "use": Use(), "later": CopyLater(x="make.n"), "alive": alive}
    made, _ = job(modules, 2, paths={"p": ["above", "use"], "q": ["make"]}, streams=1)
    made.run(mode)
    assert alive.seen == [False, False]


@BRAIDED
def test_edge_10_a_heavy_product_is_gone_after_its_reader_has_failed(mode: Any) -> None:
    class Breaks(Use):
        async def produce(self, event: Event) -> None:
            await super().produce(event)
            raise ValueError("broken")

    make = MakeHeavy()
    alive = Alive(make, x="later")
    modules = {"make": make, "use": Breaks(), "later": CopyLater(x="make.n"), "alive": alive}
    made, _ = job(modules, 2, paths={"p": ["use"], "q": ["alive"]}, streams=1, on_error="continue")
    assert made.run(mode).errors == 2
    assert alive.seen == [False, False]


class AwayUse(ExternalProducer[int, int]):
    """Reads what is heavy before and after its work."""

    kind = "shared"
    heavy = Input[Heavy]("make.value")
    done = Output[int]()

    def __init__(self, make: MakeHeavy) -> None:
        super().__init__()
        self.make = make
        self.alive: list[bool] = []

    def acquire(self, event: Event) -> int:
        assert isinstance(event[self.heavy], Heavy)
        return event.id.event

    async def external_work(self, acquired: int) -> int:
        for _ in range(5):
            await asyncio.sleep(0)
        self.alive.append(self.make.refs[acquired]() is not None)
        return acquired

    def produce(self, event: Event, result: int) -> None:
        assert isinstance(event[self.heavy], Heavy)
        event[self.done] = result


@BRAIDED
def test_edge_10_a_heavy_product_stays_for_an_external_reader_until_it_has_produced(mode: Any) -> None:
    make = MakeHeavy()
    away, alive = AwayUse(make), Alive(make, x="later")
    modules = {"make": make, "away": away, "later": CopyLater(x="away"), "alive": alive}
    made, _ = job(modules, 3, paths={"p": ["away", "alive"]}, streams=3)
    made.run(mode)
    assert (away.alive, alive.seen) == ([True] * 3, [False] * 3)


class Thief(Analyzer):
    """Reads by the input of another module, which it says nothing of, after that has ended."""

    kind = "shared"
    done = Input[int]("use")

    def __init__(self, other: Any, token: str) -> None:
        super().__init__()
        self.other, self.token = other, token

    async def analyze(self, event: Event) -> None:
        assert event[getattr(self.other, self.token)] == 1


class UseNumber(Producer):
    kind = "shared"
    x = Input[int]("make.n")
    done = Output[int]()

    async def produce(self, event: Event) -> None:
        await asyncio.sleep(0)
        event[self.done] = event[self.x]


@MODES
def test_edge_10_plain_numbers_stay_until_the_event_is_over(mode: Any) -> None:
    use = UseNumber()
    made, _ = job({"make": MakeHeavy(), "use": use, "thief": Thief(use, "x")}, 1, paths={"p": ["use", "thief"]})
    assert made.run(mode).events.passed == 1


@BRAIDED
@pytest.mark.parametrize("path", [["use", "thief"], ["make", "use", "thief"]], ids=["on demand", "on path"])
def test_edge_10_reading_after_the_last_declared_reader_fails_with_the_reason(mode: Any, path: list[str]) -> None:
    use = Use(waits=True)
    made, _ = job({"make": MakeHeavy(), "use": use, "thief": Thief(use, "heavy")}, 1, paths={"p": path})
    with pytest.raises(ModuleError, match=r"module 'thief'.*'make' put no such product, or it was dropped after its"):
        made.run(mode)


@BRAIDED
def test_edge_10_reading_a_heavy_product_of_the_source_after_its_last_reader_fails_with_the_reason(mode: Any) -> None:
    use = Use(waits=True, heavy="heavy")
    modules = {"use": use, "thief": Thief(use, "heavy")}
    made = Job("t", source=ListSource([{"heavy": Heavy()}]), modules=modules, paths={"p": ["use", "thief"]})
    with pytest.raises(ModuleError, match=r"module 'thief'.*dropped after its last reader"):
        made.run(mode)


class Results(Analyzer):
    """Notes how the paths ended, which is known to what runs after them."""

    kind = "shared"
    x = Input[int]("x", optional=True)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: dict[int, tuple[int | None, str]] = {}

    def analyze(self, event: Event) -> None:
        states = " ".join(result.state.value for result in event.path_results.values())
        self.seen[event.id.event] = event.get(self.x), states


@MODES
@WORKS
def test_edge_12_what_is_on_no_path_runs_after_all_paths_have_ended(mode: Any, work: Any) -> None:
    results = Results(x="away")
    modules = {"results": results, "away": Away(work), "above": Above(cut=1)}
    made, output = job(modules, 4, keep=["away"], paths={"p": ["above"], "q": ["away"]}, streams=4)
    made.run(mode)
    assert results.seen == {1: (0, "fail pass"), 2: (10, "fail pass"), 3: (20, "pass pass"), 4: (30, "pass pass")}
    assert rows(output, "away") == [0, 10, 20, 30]


@MODES
def test_edge_12_an_analyzer_that_selects_paths_runs_where_one_of_them_passed(mode: Any) -> None:
    low, both, none = See(select=("p",)), See(select=("p", "q")), See(select=("r",))
    modules = {"above": Above(cut=3), "low": low, "both": both, "none": none}
    modules |= {"higher": Above(cut=1), "never": Above(cut=100)}
    made, _ = job(modules, 6, paths={"p": ["above"], "q": ["higher"], "r": ["never"]}, streams=3)
    made.run(mode)
    assert [sorted(map(str, each.seen)) for each in (low, both, none)] == [["4", "5"], ["2", "3", "4", "5"], []]


@MODES
def test_edge_12_producers_on_demand_behind_a_selecting_analyzer_run_for_its_events_only(mode: Any) -> None:
    away, see = Away(at_once), See(x="copy", select=("p",))
    modules = {"above": Above(cut=2), "away": away, "copy": Copy(x="away"), "see": see}
    made, _ = job(modules, 5, paths={"p": ["above"]}, streams=2)
    report = made.run(mode)
    assert sorted(map(str, see.seen)) == ["30", "40"]
    assert (report.modules["away"].calls, report.modules["copy"].calls) == (2, 2)


@MODES
def test_edge_12_a_producer_that_a_path_and_the_end_need_runs_once(mode: Any) -> None:
    see = See(x="copy")
    modules = {"above": Above(cut=1), "copy": CopyLater(), "use": Copy(x="copy"), "see": see}
    made, output = job(modules, 4, keep=["copy"], paths={"p": ["above", "use"]}, streams=2)
    report = made.run(mode)
    assert report.modules["copy"].calls == 4
    assert report.modules["use"].calls == 2
    assert (sorted(map(str, see.seen)), rows(output, "copy")) == (["0", "1", "2", "3"], [0, 1, 2, 3])


@MODES
def test_edge_12_the_end_finds_absent_what_a_filter_kept_from_running(mode: Any) -> None:
    see = See(x="copy")
    modules = {"above": Above(cut=1), "copy": Copy(), "see": see}
    made, output = job(modules, 4, keep=["copy"], paths={"p": ["above", "copy"]}, streams=2)
    made.run(mode)
    assert sorted(map(str, see.seen)) == ["2", "3", "None", "None"]
    assert rows(output, "copy") == [None, None, 2, 3]


class AboveWithCopy(Above):
    value = Output[int]()

    async def filter(self, event: Event) -> bool:
        event[self.value] = event[self.x]
        return await super().filter(event)


@MODES
def test_edge_12_a_filter_on_no_path_is_run_for_its_product_and_decides_nothing(mode: Any) -> None:
    see = See(x="above")
    made, output = job({"above": AboveWithCopy(cut=1), "see": see}, 4, keep=["x"], paths={}, streams=2)
    report = made.run(mode)
    assert sorted(map(str, see.seen)) == ["0", "1", "2", "3"]
    assert rows(output, "x") == [0, 1, 2, 3]
    assert report.events.passed == 4


@MODES
def test_edge_12_a_filter_on_no_path_that_nobody_reads_does_not_run_and_is_warned_of(mode: Any) -> None:
    made, output = job({"above": Above(cut=100)}, 2, keep=["x"], paths={})
    report = made.run(mode)
    assert report.warnings == ("module 'above' will not run: no path names it, nothing that runs reads it",)
    assert rows(output, "x") == [0, 1]


@MODES
@POLICIES
@WAITS
def test_edge_12_an_exception_after_the_paths_follows_the_policy(mode: Any, policy: Any, waits: bool) -> None:
    class Breaks(See):
        async def analyze(self, event: Event) -> None:  # type: ignore[override]
            if waits:
                await asyncio.sleep(0)
            if event[self.x] == 1:
                raise ValueError("broken")

    modules = {"copy": Copy(), "breaks": Breaks(), "see": See()}
    made, output = job(modules, 3, keep=["x"], paths={"p": ["copy"]}, on_error=policy, streams=1)
    report, error = outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    assert rows(output, "x") == {"stop": [0], "skip": [0, 2], "continue": [0, 1, 2]}[policy]
    assert report.paths["p"]["pass"] == {"stop": 1, "skip": 2, "continue": 3}[policy]


@MODES
def test_edge_12_what_runs_after_the_paths_sees_which_of_them_an_exception_has_ended(mode: Any) -> None:
    every, passed = Results(), Results(select=("p",))
    modules = {"fails": FailsAt(), "every": every, "passed": passed}
    made, _ = job(modules, 3, paths={"p": ["fails"], "q": []}, on_error="continue", streams=3)
    made.run(mode)
    assert every.seen == {1: (0, "pass pass"), 2: (1, "exception pass"), 3: (2, "pass pass")}
    assert sorted(passed.seen) == [1, 3]


@MODES
def test_edge_12_an_event_that_is_given_up_is_not_analyzed_at_its_end(mode: Any) -> None:
    see, behind = See(), See(x="copy")
    modules = {"fails": FailsAt(), "see": see, "behind": behind, "copy": CopyLater()}
    made, _ = job(modules, 3, paths={"p": ["fails"]}, on_error="skip", streams=3)
    made.run(mode)
    assert sorted(map(str, see.seen)) == sorted(map(str, behind.seen)) == ["0", "2"]


@MODES
@pytest.mark.parametrize("paths", [{}, {"empty": []}, {"empty": [], "void": []}])
@pytest.mark.parametrize("select", [(), ("empty",)])
def test_edge_16_a_job_of_empty_paths_passes_every_event_and_runs_what_comes_after(
    mode: Any, paths: dict[str, list[str]], select: tuple[str, ...]
) -> None:
    see = See(x="copy", select=select if paths else ())
    made, output = job({"copy": CopyLater(), "see": see}, 3, keep=["copy"], paths=paths, streams=2)
    report = made.run(mode)
    assert (report.events.read, report.events.passed) == (3, 3)
    assert report.paths == {name: {"pass": 3, "fail": 0, "exception": 0, "not run": 0} for name in paths}
    assert sorted(map(str, see.seen)) == ["0", "1", "2"]
    assert all(result.passed for row in output.rows for result in row.path_results.values())


@MODES
def test_edge_16_an_empty_path_passes_beside_one_that_does_not(mode: Any) -> None:
    see = See(select=("empty",))
    made, output = job({"above": Above(cut=100), "see": see}, 3, keep=["x"], paths={"p": ["above"], "empty": []})
    report = made.run(mode)
    assert (report.events.passed, report.paths["empty"]["pass"], report.paths["p"]["fail"]) == (3, 3, 3)
    assert (len(see.seen), rows(output, "x")) == (3, [0, 1, 2])


@MODES
@WORKS
@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("paths", [{}, {"p": ["away"]}])
@pytest.mark.parametrize("kind", ["stream", "shared", "serial"])
def test_edge_19_external_work_as_the_only_module_of_a_job_gives_every_event(
    mode: Any, work: Any, streams: int, paths: dict[str, list[str]], kind: Any
) -> None:
    class Kind(Away):
        pass

    Kind.kind = kind
    made, output = job({"away": Kind(work)}, 4, keep=["away"], paths=paths, streams=streams)
    report = made.run(mode)
    assert (report.events.passed, report.modules["away"].calls) == (4, 4)
    assert rows(output, "away") == [0, 10, 20, 30]


@MODES
@pytest.mark.parametrize("streams", [1, 3])
def test_edge_19_an_external_filter_as_the_only_module_of_a_job_decides_every_event(mode: Any, streams: int) -> None:
    class Even(ExternalFilter[int, bool]):
        x = Input[int]("x")

        def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> bool:
            await asyncio.sleep(0)
            return acquired % 2 == 0

        def filter(self, event: Event, result: bool) -> bool:
            return result

    made, _ = job({"even": Even()}, 5, streams=streams)
    report = made.run(mode)
    assert (report.events.passed, report.events.not_selected) == (3, 2)


@MODES
@DROPS
@pytest.mark.parametrize("streams", [1, 3])
def test_edge_19_external_work_that_is_dropped_leaves_its_stream_to_the_next_event(
    mode: Any, drops: Any, streams: int
) -> None:
    made, _ = job({"away": Away(drops)}, 4, on_error="skip", streams=streams)
    report = made.run(mode)
    assert (report.events.read, report.events.failed) == (4, 4)


class Inside:
    """How many calls are inside of what, and the most there ever were."""

    def __init__(self) -> None:
        self.inside: dict[str, int] = {}
        self.most: dict[str, int] = {}

    @contextlib.contextmanager
    def within(self, names: Sequence[str]) -> Iterator[None]:
        for name in names:
            self.inside[name] = self.inside.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.inside[name])
        try:
            yield
        finally:
            for name in names:
                self.inside[name] -= 1


@dataclass(frozen=True)
class Bounded:
    """How calls of a module are bounded, how long they take, and for which events they raise."""

    kind: str = "shared"
    limit: int | None = None
    resources: tuple[str, ...] = ()
    waits: int = 1
    raises_every: int = 0
    external: bool = False

    def most(self, label: str) -> dict[str, int]:
        """The most calls that may be inside."""
        found = dict.fromkeys(self.resources, 1)
        if self.kind == "serial" or self.limit is not None:
            found[label] = 1 if self.kind == "serial" else self.limit or 1
        return found


class BoundedModule(Producer):
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, label: str, bounded: Bounded, inside: Inside) -> None:
        super().__init__()
        self.label, self.bounded, self.inside = label, bounded, inside

    async def call(self, event: Event, step: str) -> None:
        x, bounded = event[self.x], self.bounded
        with self.inside.within(list(bounded.most(self.label))):
            for _ in range(bounded.waits):
                await asyncio.sleep(0)
            if bounded.raises_every and x % (2 * bounded.raises_every) == (0 if step == "acquire" else 1):
                raise ValueError("a bad hit")

    async def produce(self, event: Event) -> None:
        await self.call(event, "produce")
        event[self.value] = event[self.x]


class BoundedAway(BoundedModule, ExternalProducer[int, int]):
    _steps = ExternalProducer._steps

    async def acquire(self, event: Event) -> int:
        await self.call(event, "acquire")
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        for _ in range(self.bounded.waits):
            await asyncio.sleep(0)
        return acquired

    async def produce(self, event: Event, result: int) -> None:  # type: ignore[override]
        await self.call(event, "produce")
        event[self.value] = result


def bounded_module(label: str, bounded: Bounded, inside: Inside) -> Any:
    base = BoundedAway if bounded.external else BoundedModule
    space = {"kind": bounded.kind, "limit": bounded.limit, "resources": bounded.resources}
    return type(label, (base,), space)(label, bounded, inside)


BOUNDED = st.builds(
    Bounded,
    kind=st.sampled_from(["serial", "shared", "stream"]),
    limit=st.sampled_from([None, None, 1, 2, 3]),
    resources=st.lists(st.sampled_from(["tape", "geant", "file"]), unique=True, max_size=3).map(tuple),
    waits=st.integers(0, 3),
    raises_every=st.sampled_from([0, 0, 2, 3]),
    external=st.booleans(),
)


@given(
    st.lists(BOUNDED, min_size=1, max_size=5), st.integers(1, 6), st.sampled_from(["async", "threads"]),
    st.sampled_from(["skip", "continue"]), st.booleans(),
)  # fmt: skip
def test_edge_20_bounds_are_never_exceeded_and_nothing_waits_for_ever(
    bounded: list[Bounded], streams: int, mode: Any, policy: Any, one_path: bool
) -> None:
    inside = Inside()
    modules = {f"m{n}": bounded_module(f"m{n}", each, inside) for n, each in enumerate(bounded)}
    paths = {"all": list(modules)} if one_path else {f"p_{label}": [label] for label in modules}
    made, _ = job(modules, 12, paths=paths, on_error=policy, streams=streams)
    report = made.run(mode)
    assert report.events.read == 12
    for label, each in zip(modules, bounded, strict=True):
        for name, most in each.most(label).items():
            assert inside.most.get(name, 0) <= most
    assert not any(inside.inside.values())


def test_edge_20_two_modules_that_name_two_resources_in_opposite_order_do_not_block_each_other() -> None:
    inside = Inside()
    modules = {
        "one": bounded_module("one", Bounded(resources=("tape", "geant"), waits=2), inside),
        "two": bounded_module("two", Bounded(resources=("geant", "tape"), waits=2), inside),
        "three": bounded_module("three", Bounded(kind="serial", resources=("geant",), waits=1, external=True), inside),
        "four": bounded_module("four", Bounded(limit=2, resources=("tape",), waits=1, external=True), inside),
    }
    made, _ = job(modules, 40, streams=8)
    assert made.run().events.passed == 40
    assert inside.most == {"tape": 1, "geant": 1, "three": 1, "four": 1}


BOUNDS = pytest.mark.parametrize(
    "bound", [{"kind": "serial"}, {"limit": 1}, {"resources": ("tape",)}], ids=["serial", "limit", "resource"]
)


@MODES
@BOUNDS
@STEPS
@WAITS
def test_edge_20_a_bound_is_free_again_after_an_exception_in_any_step(
    mode: Any, bound: dict[str, Any], step: str, waits: bool
) -> None:
    module = type("Bound", (FailsIn,), {"kind": "shared", **bound})(step, waits)
    made, output = job({"m": module}, 5, keep=["m"], on_error="skip", streams=4)
    assert made.run(mode).events.failed == 1
    assert rows(output, "m") == [0, 2, 3, 4]


@BOUNDS
def test_edge_20_a_bound_is_not_held_while_external_work_is_away(bound: dict[str, Any]) -> None:
    away: set[int] = set()
    all_are_away = asyncio.Event()

    async def work(acquired: int) -> int:
        away.add(acquired)
        if len(away) == 4:
            all_are_away.set()
        await all_are_away.wait()
        return acquired

    module = type("Bound", (Away,), bound)(work)
    made, output = job({"m": module}, 4, keep=["m"], streams=4)
    made.run()
    assert rows(output, "m") == [0, 1, 2, 3]


@BOUNDS
def test_edge_20_another_module_may_use_a_resource_while_external_work_is_away(bound: dict[str, Any]) -> None:
    used = asyncio.Event()

    async def work(acquired: int) -> int:
        await used.wait()
        return acquired

    class Uses(Copy):
        def produce(self, event: Event) -> None:
            super().produce(event)
            used.set()

    module, other = type("Bound", (Away,), bound)(work), type("Bound", (Uses,), bound)()
    made, _ = job({"m": module, "other": other}, 1)
    assert made.run().events.passed == 1


class Arrives(Producer):
    """Lets events go on youngest first."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.gone = [asyncio.Event() for _ in range(count + 1)]
        self.gone[count].set()

    async def produce(self, event: Event) -> None:
        x = event[self.x]
        await self.gone[x + 1].wait()
        event[self.value] = x
        asyncio.get_running_loop().call_soon(self.gone[x].set)


class Queues(Producer):
    """Notes the order of its calls; the first waits until all others are in the queue."""

    kind = "shared"
    x = Input[int]("arrives")
    value = Output[int]()

    def __init__(self, arrives: Arrives) -> None:
        super().__init__()
        self.arrives = arrives
        self.order: list[int] = []

    async def produce(self, event: Event) -> None:
        self.order.append(event[self.x])
        await self.arrives.gone[0].wait()
        for _ in range(10):
            await asyncio.sleep(0)
        event[self.value] = event[self.x]


@BOUNDS
def test_edge_20_the_oldest_event_in_the_queue_is_the_next(bound: dict[str, Any]) -> None:
    arrives = Arrives(6)
    queues = type("Bound", (Queues,), bound)(arrives)
    made, _ = job({"arrives": arrives, "queues": queues}, 6, paths={"p": ["arrives", "queues"]}, streams=6)
    made.run()
    assert queues.order == [5, 0, 1, 2, 3, 4]


def test_edge_20_of_two_modules_that_share_a_resource_the_older_events_is_the_next() -> None:
    arrives = Arrives(6)
    bound = {"resources": ("tape",)}
    even, odd = (type("Bound", (Queues,), bound)(arrives) for _ in range(2))
    odd.order = even.order
    modules = {"arrives": arrives, "even": even, "odd": odd}
    modules |= {"is_even": Modulo(rest=0), "is_odd": Modulo(rest=1)}
    paths = {"p": ["is_even", "even"], "q": ["is_odd", "odd"]}
    made, _ = job(modules, 6, paths=paths, streams=6)
    made.run()
    assert even.order == [5, 0, 1, 2, 3, 4]


class Modulo(Filter):
    x = Input[int]("x")
    rest = Parameter(0)

    def filter(self, event: Event) -> bool:
        return event[self.x] % 2 == self.rest


class Takes(Producer):
    """Holds its bounds for some turns of the loop."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, order: list[tuple[str, int]], name: str, waits: int) -> None:
        super().__init__()
        self.order, self.name, self.waits = order, name, waits

    async def produce(self, event: Event) -> None:
        self.order.append((self.name, event[self.x]))
        for _ in range(self.waits):
            await asyncio.sleep(0)
        event[self.value] = 1


class SecondAlone(Filter):
    """Passes, or does not, the one event whose x is 1."""

    x = Input[int]("x")
    passes = Parameter(True)

    def filter(self, event: Event) -> bool:
        return (event[self.x] == 1) == self.passes


def test_edge_20_a_call_of_two_resources_does_not_wait_for_all_younger_calls_of_one() -> None:
    order: list[tuple[str, int]] = []
    modules = {
        "second": SecondAlone(passes=True),
        "others": SecondAlone(passes=False),
        "both": type("Both", (Takes,), {"resources": ("tape", "geant")})(order, "both", 1),
        "tape": type("Tape", (Takes,), {"resources": ("tape",)})(order, "tape", 5),
        "geant": type("Geant", (Takes,), {"resources": ("geant",)})(order, "geant", 5),
    }
    paths = {"p": ["second", "both"], "q": ["others", "tape"], "r": ["others", "geant"]}
    made = Job("t", source=numbers(200), modules=modules, paths=paths, streams=6)
    assert made.run().events.passed == 200
    assert order.index(("both", 1)) < 20
