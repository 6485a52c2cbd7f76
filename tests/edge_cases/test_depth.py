"""Edge case 9: deep and wide graphs on demand, and paths in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from edge_jobs import DEPTHS, MODES, Above, Away, Copy, CopyLater, FailsAt, job, much_later, rows

from eventbraid import (
    ConfigurationError,
    Event,
    Input,
    Output,
    Producer,
)


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


"""Blocking mode has one event at a time, and drops products with it."""
