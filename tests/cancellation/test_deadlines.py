"""Events past their deadline, and the module that is to blame."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from giving_up import (
    BAD,
    DEADLINE,
    GIVING_UP,
    MODES,
    TINY,
    Act,
    Away,
    Copy,
    Ends,
    Log,
    Step,
    job,
    never,
    never_for_bad,
    outcome,
    raises_otherwise,
    takes_no_notice,
    xs,
)

from eventbraid import Analyzer, Event, EventID, Job, Section
from eventbraid.testing import ListSource


@MODES
@GIVING_UP
@pytest.mark.parametrize("streams", [1, 3])
async def test_an_event_past_its_deadline_fails_with_the_external_work_that_it_waits_for(
    mode: Any, policy: Any, streams: int
) -> None:
    log = Log()
    modules = {"copy": Copy(), "away": Away(log, never_for_bad)}
    made, output = job(modules, on_error=policy, streams=streams, deadline=DEADLINE)
    report, error = await outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    (failure,) = report.failures
    expected = "module 'away', step external work, path 'p_away', event 1:1:2: "
    assert str(failure.error) == expected + "TimedOut: the event's deadline of 0.15 s passed"
    assert log.of("cancelled") == [BAD]
    assert report.events.failed == 1
    stopped_before = policy == "stop" and (mode == "blocking" or streams == 1)
    assert xs(output) == ([0] if stopped_before else [0, 2])


@pytest.mark.parametrize(
    ("mode", "act"),
    [
        ("async", never_for_bad),
        ("async", takes_no_notice),
        ("async", raises_otherwise),
        ("blocking", never_for_bad),
        ("blocking", takes_no_notice),
        ("blocking", raises_otherwise),
    ],
)
async def test_an_event_past_its_deadline_fails_with_the_step_that_it_waits_for(mode: Any, act: Act) -> None:
    modules = {"copy": Copy(), "step": Step(Log(), act)}
    made, output = job(modules, on_error="skip", deadline=DEADLINE)
    report, _ = await outcome(made, mode)
    (failure,) = report.failures
    assert (failure.error.label, failure.error.step) == ("step", "produce")
    assert "the event's deadline of 0.15 s passed" in str(failure.error)
    assert xs(output) == [0, 2]


async def test_external_work_that_a_deadline_cancels_is_counted() -> None:
    log = Log()
    made, _ = job({"away": Away(log, never_for_bad), "step": Step(log, never_for_bad)}, on_error="skip")
    made = dataclasses.replace(made, deadline=DEADLINE)
    report, _ = await outcome(made)
    assert (report.cancelled, report.errors, report.events.failed) == (1, 1, 1)


async def test_of_several_steps_an_event_past_its_deadline_names_the_one_that_waits_longest() -> None:
    async def waits(log: Log, x: int) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    log = Log()
    modules = {"second": Step(log, never, x="waits"), "waits": Step(log, waits), "first": Step(log, never)}
    made, _ = job(modules, 1, on_error="skip", deadline=TINY)
    report, _ = await outcome(made)
    assert [failure.error.label for failure in report.failures] == ["first"]


@MODES
async def test_every_event_past_its_deadline_fails_and_the_job_goes_on(mode: Any) -> None:
    made, output = job({"away": Away(Log(), never)}, 4, on_error="skip", streams=2, deadline=TINY)
    report, _ = await outcome(made, mode)
    assert (report.events.read, report.events.failed, xs(output)) == (4, 4, [])


@GIVING_UP
async def test_an_event_past_its_deadline_in_a_queue_fails_with_the_module_whose_turn_it_awaits(policy: Any) -> None:
    log = Log()

    async def holds(log: Log, x: int) -> None:
        log.note("takes", x)
        await log.has("event ends", 1)

    class Serial(Step):
        kind = "serial"

    made, output = job({"serial": Serial(log, holds)}, 2, on_error=policy, deadline=60.0)
    made = dataclasses.replace(made, deadline=DEADLINE)
    report, _ = await outcome(made, listeners=[Ends(log)])
    steps = [(failure.error.label, failure.error.step, failure.number) for failure in report.failures]
    assert steps == [("serial", "produce", 0), ("serial", "waiting for its turn", 1)]
    assert (log.of("takes"), xs(output)) == ([0], [])


@pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
async def test_an_event_whose_section_does_not_begin_before_its_deadline_fails(mode: Any) -> None:
    class BeginsLate(Analyzer):
        kind = "shared"

        async def begin_lumi(self, lumi: Section) -> None:
            if lumi.id.lumi == BAD:
                begun = asyncio.Event()
                asyncio.get_running_loop().call_later(2 * DEADLINE, begun.set)
                await begun.wait()

        def analyze(self, event: Event) -> None: ...

    ids = [EventID(1, 1, 1), EventID(1, 1, 2)]
    source, modules = ListSource([{}, {}], ids), {"late": BeginsLate()}
    made = Job("t", source=source, modules=modules, streams=2, on_error="skip", deadline=DEADLINE)
    report, _ = await outcome(made, mode)
    assert report.failures
    assert "the event's deadline of 0.15 s passed" in str(report.failures[0].error)
