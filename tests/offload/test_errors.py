"""What a step in a thread raises is told as if it were inline."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from offloaded import MODES, OFFLOADED, Decides, FailsIn, Plain, Where, job, outcome

from eventbraid import Event
from eventbraid.running import Run

STEPS = pytest.mark.parametrize("step", ["acquire", "external work", "filter"])


@MODES
@STEPS
@pytest.mark.parametrize("policy", ["stop", "skip", "continue"])
@pytest.mark.parametrize("error", [ValueError, TimeoutError, asyncio.CancelledError])
async def test_an_error_in_a_thread_is_told_as_if_it_were_inline(mode: Any, step: str, policy: Any, error: Any) -> None:
    told: list[Any] = []
    for offload in (False, True):
        module = type("Either", (FailsIn,), {"offload": offload})(step, error)
        made, _ = job({"m": module}, on_error=policy, streams=1)
        report, raised = await outcome(made, mode)
        (failure,) = report.failures
        assert type(failure.error.__cause__) is error
        told.append((str(failure.error), report.events, report.errors, raised is None))
    assert told[0] == told[1]
    assert told[0][0] == f"module 'm', step {step}, path 'p_m', event 1:1:2: {error.__name__}: a bad hit"


@pytest.mark.parametrize("mode", ["async", "blocking"])
@pytest.mark.parametrize("step", ["acquire", "filter"])
async def test_an_event_ends_whose_step_in_a_thread_raises_what_ends_an_iteration(mode: Any, step: str) -> None:
    made, _ = job({"m": type("Iterates", (FailsIn,), {"offload": True})(step, StopIteration)}, on_error="skip")
    async with asyncio.timeout(0.5):
        report = await Run(made, mode, say=lambda line: None).run()
    assert report.events.failed == 1


@MODES
@OFFLOADED
async def test_an_answer_that_a_step_may_not_give_is_told_as_if_it_were_inline(mode: Any, offload: bool) -> None:
    class Returns(Plain):
        def produce(self, event: Event) -> Any:
            return 5

    class Undecided(Decides):
        def filter(self, event: Event) -> Any:
            return None

    Returns.offload = Undecided.offload = offload
    made, _ = job({"returns": Returns(Where()), "undecided": Undecided(Where())}, 1, on_error="continue")
    report, _ = await outcome(made, mode)
    assert sorted(str(failure.error.args[0]) for failure in report.failures) == [
        "TypeError: filter() returned None; a filter returns True or False",
        "TypeError: produce() returned int; put products with event[self.name] = ...",
    ]
