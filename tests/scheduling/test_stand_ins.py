"""A job does the same with every module behind a switch and every product read by an alias."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from eventbraid import Alias, Job, ModuleError, Switch

sys.path.insert(0, str(Path(__file__).parent))
from random_jobs import RandomJob, Watch, make, random_jobs

from eventbraid.running import Run
from eventbraid.testing import ListOutput


def disguised(random: RandomJob) -> Job:
    """The job with a second case beside each module, and an alias between each module and its readers."""
    labels = {each.label for each in random.behaviours}

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}_too" if name in labels else name for name in names)

    modules: dict[str, Any] = {}
    for each in random.behaviours:
        case = dataclasses.replace(each, reads=renamed(each.reads))
        modules[f"{each.label}_too"] = Alias(each.label)
        modules[each.label] = Switch(fpga=make(each, Watch()), cpu=make(case, Watch()))
    output = ListOutput(keep=renamed(random.keep), select=random.select)
    return dataclasses.replace(random.job(), modules=modules, outputs=[output], accelerators=("cpu",))


async def outcome(job: Job, mode: Any) -> tuple[Any, ...]:
    """Products, decisions, calls and failures, whatever the products are called; or the error that ended the job."""
    try:
        report = await Run(job, mode, say=lambda line: None).run()
    except ModuleError as raised:
        return raised.label, raised.step, raised.event  # which events were in flight then is left to chance
    (output,) = job.outputs
    assert isinstance(output, ListOutput)
    rows = [(row.id, sorted(map(str, row.products.values())), row.path_results) for row in output.rows]
    failures = [(each.event, each.error.label, each.error.step) for each in report.failures]
    return rows, report.events, failures, {label: times.calls for label, times in report.modules.items()}


@given(random_jobs())
@settings(max_examples=60)
async def test_modules_behind_switches_and_aliases_do_what_they_do_without(random: RandomJob) -> None:
    """Any job, in both modes; one that gives up no event, since which of two failures comes first is chance."""
    random = random.tolerant()
    for mode in ("blocking", "async"):
        assert await outcome(disguised(random), mode) == await outcome(random.job(), mode)
