"""Timeouts of a module and of its external work."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from giving_up import (
    BAD,
    MODES,
    TINY,
    Act,
    Away,
    Copy,
    Log,
    at_once,
    job,
    never_for_bad,
    outcome,
    raises_otherwise,
    takes_no_notice,
    xs,
)

from eventbraid import ConfigurationError, Event
from eventbraid.running import Run


class InTime(Away):
    external_timeout = TINY


@MODES
@pytest.mark.parametrize("policy", ["skip", "stop", "continue"])
async def test_external_work_that_takes_too_long_is_cancelled_and_fails_its_event_alone(mode: Any, policy: Any) -> None:
    log = Log()
    made, output = job({"away": InTime(log, never_for_bad)}, 2, on_error=policy)
    report, error = await outcome(made, mode)
    assert (error is not None) == (policy == "stop")
    assert log.of("cancelled") == [BAD]
    assert xs(output) == [0]
    (failure,) = report.failures
    expected = "module 'away', step external work, path 'p_away', event 1:1:2: "
    assert str(failure.error) == expected + "TimedOut: the external work took more than its 0.05 s"
    assert (report.errors, report.cancelled) == (1, 0)


async def test_while_one_work_comes_to_its_timeout_that_of_another_event_goes_on() -> None:
    log = Log()
    made, output = job({"away": InTime(log, never_for_bad), "other": Away(log, until_bad_is_cancelled_or_is_it)})
    made = made.replace(streams=3)
    report, error = await outcome(made)
    assert (xs(output), report.events.failed) == ([0, 2], 1)
    assert error is not None


async def until_bad_is_cancelled_or_is_it(log: Log, x: int) -> None:
    """External work without a timeout that outlasts that of another."""
    await log.has("cancelled", BAD)


@pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
@pytest.mark.parametrize("act", [takes_no_notice, raises_otherwise])
async def test_external_work_that_takes_no_notice_of_its_timeout_has_taken_too_long(mode: Any, act: Act) -> None:
    made, output = job({"away": InTime(Log(), act)}, on_error="skip")
    report, _ = await outcome(made, mode)
    assert xs(output) == [0, 2]
    assert [str(failure.error.args[0]) for failure in report.failures] == [
        "TimedOut: the external work took more than its 0.05 s"
    ]


@MODES
async def test_a_timeout_error_of_the_work_itself_is_not_taken_for_the_modules(mode: Any) -> None:
    async def gives_up(log: Log, x: int) -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    made, _ = job({"away": type("Patient", (Away,), {"external_timeout": 60.0})(Log(), gives_up)}, 1)
    _, error = await outcome(made, mode)
    assert error is not None
    assert type(error.__cause__) is TimeoutError


class ThreeSteps(Away):
    """Waits for ever in the step that is named, of the bad event."""

    module_timeout = TINY

    def __init__(self, log: Log, step: str) -> None:
        super().__init__(log, at_once)
        self.step = step

    async def maybe(self, step: str, x: int) -> None:
        if step == self.step:
            await never_for_bad(self.log, x)

    async def acquire(self, event: Event) -> int:  # type: ignore[override]
        await self.maybe("acquire", event[self.x])
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        await self.maybe("external work", acquired)
        return acquired

    async def produce(self, event: Event, result: int) -> None:  # type: ignore[override]
        await self.maybe("produce", result)
        event[self.value] = result


@MODES
@pytest.mark.parametrize("step", ["acquire", "external work", "produce"])
@pytest.mark.parametrize("kind", ["stream", "shared", "serial"])
async def test_a_module_that_takes_too_long_fails_in_the_step_where_it_is(mode: Any, step: str, kind: str) -> None:
    module = type("Kind", (ThreeSteps,), {"kind": kind})(Log(), step)
    made, output = job({"m": module}, on_error="skip", streams=1)
    report, _ = await outcome(made, mode)
    assert xs(output) == [0, 2]
    (failure,) = report.failures
    assert (failure.error.label, failure.error.step, failure.number) == ("m", step, BAD)
    assert str(failure.error.args[0]) == "TimedOut: the module took more than its 0.05 s"


@MODES
async def test_the_steps_of_a_module_share_its_time(mode: Any) -> None:
    class Slow(ThreeSteps):
        module_timeout = 0.3

        async def acquire(self, event: Event) -> int:  # type: ignore[override]
            if event[self.x] == BAD:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.15):
                        await asyncio.Event().wait()
                self.began = asyncio.get_running_loop().time()
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            try:
                return await super().external_work(acquired)
            except asyncio.CancelledError:
                self.log.lines.append(("ms", round(1000 * (asyncio.get_running_loop().time() - self.began))))
                raise

    log = Log()
    made, _ = job({"m": Slow(log, "external work")}, on_error="skip")
    report, _ = await outcome(made, mode)
    assert [failure.error.step for failure in report.failures] == ["external work"]
    assert log.of("ms")[0] < 280  # about what acquire had left of the 300


@MODES
async def test_a_module_on_time_and_its_next_event_are_untouched_by_a_timeout(mode: Any) -> None:
    class OnTime(ThreeSteps):
        module_timeout = 60.0
        external_timeout = 60.0

    class Plain(Copy):
        module_timeout = 60.0

    made, output = job({"m": OnTime(Log(), ""), "plain": Plain()}, 9, streams=2, keep=("m", "plain"))
    report, error = await outcome(made, mode)
    assert (error, report.errors, report.cancelled) == (None, 0, 0)
    assert [row.products["m"] for row in output.rows] == [row.products["plain"] for row in output.rows] == [*range(9)]


@pytest.mark.parametrize("name", ["module_timeout", "external_timeout"])
@pytest.mark.parametrize("seconds", [0, -1.0])
async def test_a_timeout_of_no_time_is_a_fault(name: str, seconds: float) -> None:
    made, _ = job({"m": type("Hasty", (Away,), {name: seconds})(Log(), at_once)}, 1)
    with pytest.raises(ConfigurationError, match=rf"Hasty has {name} {seconds!r}, which must be more than 0 seconds"):
        Run(made)
