"""Edge cases 4, 5, 7 and 8: exceptions in every step, of modules that others need, before outputs, under each policy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from edge_jobs import (
    MODES,
    POLICIES,
    STEPS,
    WAITS,
    Above,
    Away,
    Copy,
    Fails,
    FailsAt,
    FailsIn,
    See,
    SeeIfThere,
    job,
    numbers,
    outcome,
    raises_later,
    rows,
)

from eventbraid import (
    Analyzer,
    Event,
    EventID,
    Filter,
    Input,
    Job,
    ModuleError,
    PathResult,
    PathState,
)
from eventbraid.testing import ListOutput


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
