"""Products and decisions are the same in threads and inline, and in every mode."""

from __future__ import annotations

from typing import Any

import pytest
from offloaded import MODES, Away, Decides, FailsIn, Looks, Plain, Where, job, outcome

from eventbraid import Input


@MODES
async def test_what_runs_in_a_thread_gives_the_products_and_decisions_that_it_gives_inline(mode: Any) -> None:
    found: list[Any] = []
    for offload in (False, True):
        classes: list[Any] = [type("Either", (base,), {"offload": offload}) for base in (Plain, Decides, Looks, Away)]
        modules = {f"m{n}": each(Where()) for n, each in enumerate(classes)}
        made, output = job(modules, 9, keep=("m0", "m3"), paths={"p": list(modules), "q": ["m0"]}, streams=4)
        report, _ = await outcome(made, mode)
        found.append((report.events, report.paths, [(row.id, row.products, row.path_results) for row in output.rows]))
    assert found[0] == found[1]


@pytest.mark.parametrize("policy", ["skip", "continue"])
@pytest.mark.parametrize("step", ["", "acquire", "external work", "filter"])
async def test_the_modes_give_the_same_products_decisions_and_errors(policy: Any, step: str) -> None:
    found: list[Any] = []
    for mode in ("async", "blocking", "threads"):
        modules = {
            "decides": type("Inline", (FailsIn,), {"offload": False})(step, ValueError),
            "away": Away(Where()),
            "after": type("Inline", (Away,), {"offload": False, "x": Input[int]("away")})(Where()),
            "plain": Plain(Where(), x="after"),
        }
        paths = {"p": ["decides", "plain"], "q": ["away"]}
        made, output = job(modules, 9, keep=("away", "after", "plain"), paths=paths, on_error=policy, streams=4)
        report, _ = await outcome(made, mode)
        rows = [(row.id, row.products, row.path_results) for row in output.rows]
        found.append((rows, report.events, report.paths, report.errors, [str(each.error) for each in report.failures]))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == (8 if step and policy == "skip" else 9)
