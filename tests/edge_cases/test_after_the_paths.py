"""Edge cases 12 and 16: what runs after all paths, and paths without modules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from edge_jobs import (
    MODES,
    POLICIES,
    WAITS,
    WORKS,
    Above,
    Away,
    Copy,
    CopyLater,
    FailsAt,
    See,
    at_once,
    job,
    outcome,
    rows,
)

from eventbraid import (
    Analyzer,
    Event,
    Input,
    Output,
)


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
