"""What runs on a path, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

from small_modules import MODES, Above, Copy, Count, Fails, numbers

from eventbraid import Event, ExternalFilter, Input, Job, PathResult, PathState
from eventbraid.testing import ListOutput


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
def test_an_analyzer_that_selects_a_path_runs_after_it_for_events_that_passed(mode: Any) -> None:
    count = Count(select=("p",))
    modules = {"above": Above(cut=6), "count": count}
    Job("t", source=numbers(10), modules=modules, paths={"p": ["above"]}).run(mode)
    assert sorted(count.seen) == [7, 8, 9]


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
