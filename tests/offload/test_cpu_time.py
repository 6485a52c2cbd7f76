"""The CPU time of a step is counted where it runs."""

from __future__ import annotations

from time import thread_time
from typing import Any

import pytest
from offloaded import MODES, OFFLOADED, FailsIn, Plain, Where, job, outcome

from eventbraid import Event

CPU = 0.02
"""Seconds that a step computes."""


def compute() -> None:
    until = thread_time() + CPU
    while thread_time() < until:
        pass


@MODES
@OFFLOADED
@pytest.mark.parametrize("fails", [False, True])
async def test_the_cpu_seconds_of_a_step_are_counted_where_it_runs(mode: Any, offload: bool, fails: bool) -> None:
    class Computes(Plain):
        def produce(self, event: Event) -> None:
            compute()
            if fails:
                raise ValueError("after all that")
            event[self.value] = 1

    Computes.offload = offload
    made, _ = job({"m": Computes(Where())}, 3, on_error="skip")
    report, _ = await outcome(made, mode)
    assert report.modules["m"].calls == 3
    assert report.modules["m"].cpu_seconds >= 3 * CPU
    assert report.modules["m"].max_seconds >= CPU


@MODES
@OFFLOADED
@pytest.mark.parametrize("step", ["acquire", "filter"])
async def test_the_cpu_seconds_of_each_step_of_external_work_are_counted(mode: Any, offload: bool, step: str) -> None:
    class Computes(FailsIn):
        def maybe(self, step: str, x: int) -> None:
            if step == self.step:
                compute()

    Computes.offload = offload
    made, _ = job({"m": Computes(step, ValueError)}, 3, streams=2)
    report, _ = await outcome(made, mode)
    assert report.modules["m"].cpu_seconds >= 3 * CPU
