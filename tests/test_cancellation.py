"""What is cancelled, what is awaited and what is told when an event, a module or a job is given up."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eventbraid import (
    Analyzer,
    ConfigurationError,
    Event,
    EventID,
    ExternalProducer,
    Input,
    Job,
    ModuleError,
    Output,
    Producer,
    Report,
    Section,
    running,
)
from eventbraid.running import Run
from eventbraid.services import Listener
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
ONE_LOOP = pytest.mark.parametrize("mode", ["async", "blocking"])
GIVING_UP = pytest.mark.parametrize("policy", ["skip", "stop"])
BAD = 1
"""The event that is given up; the others must not notice."""
TINY = 0.05
"""Seconds of a timeout for what never comes."""
DEADLINE = 0.15
HANGS = 10.0
"""Seconds after which a run hangs."""


class Copy(Producer):
    x = Input[int]("x")
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = event[self.x]


class Log:
    """What happened, in order, and events that a test waits for by name."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int]] = []
        self._waited: dict[tuple[str, int], asyncio.Event] = {}

    def note(self, what: str, x: int) -> None:
        self.lines.append((what, x))
        self._of(what, x).set()

    async def has(self, what: str, x: int) -> None:
        await self._of(what, x).wait()

    def _of(self, what: str, x: int) -> asyncio.Event:
        return self._waited.setdefault((what, x), asyncio.Event())

    def of(self, what: str) -> list[int]:
        return [x for line, x in self.lines if line == what]


Act = Callable[[Log, int], Awaitable[None]]


async def never(log: Log, x: int) -> None:
    await asyncio.Event().wait()


async def at_once(log: Log, x: int) -> None: ...


class Away(ExternalProducer[int, int]):
    """Its external work is the function that it is made with."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, log: Log, act: Act, **settings: Any) -> None:
        super().__init__(**settings)
        self.log, self.act = log, act

    def acquire(self, event: Event) -> int:
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        self.log.note("begins", acquired)
        try:
            await self.act(self.log, acquired)
        except asyncio.CancelledError:
            self.log.note("cancelled", acquired)
            raise
        self.log.note("ends", acquired)
        return acquired

    def produce(self, event: Event, result: int) -> None:
        self.log.note("produces", result)
        event[self.value] = result


class Step(Producer):
    """Its step is the function that it is made with."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, log: Log, act: Act, **settings: Any) -> None:
        super().__init__(**settings)
        self.log, self.act = log, act

    async def produce(self, event: Event) -> None:
        await self.act(self.log, event[self.x])
        event[self.value] = event[self.x]


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])


def job(modules: dict[str, Any], count: int = 3, keep: tuple[str, ...] = (), **settings: Any) -> tuple[Job, ListOutput]:
    """A job whose events hold x from 0, with every module on a path of its own unless paths are given."""
    output = ListOutput(keep=keep)
    settings = {"paths": {f"p_{label}": [label] for label in modules}, "streams": count, **settings}
    return Job("t", source=numbers(count), modules=modules, outputs=[output], **settings), output


async def outcome(made: Job, mode: Any = "async", **settings: Any) -> tuple[Report, ModuleError | None]:
    """The report of a run that may not hang, and the error that it raised."""
    async with asyncio.timeout(HANGS):
        try:
            return await Run(made, mode, say=lambda line: None, **settings).run(), None
        except ModuleError as error:
            assert error.report is not None
            return error.report, error


def xs(output: ListOutput) -> list[int]:
    """The events that were written, by their x."""
    return [row.id.event - 1 for row in output.rows]


async def until_bad_is_cancelled(log: Log, x: int) -> None:
    """External work that only a cancellation ends, of the bad event; the others end after that."""
    if x == BAD:
        await asyncio.Event().wait()
    await log.has("cancelled", BAD)


async def fails_while_away(log: Log, x: int) -> None:
    """A step that raises, for the bad event, while external work of every event is away."""
    for each in range(3):
        await log.has("begins", each)
    if x == BAD:
        raise ValueError("a bad hit")


@GIVING_UP
async def test_external_work_of_an_event_that_is_given_up_is_cancelled_and_no_others(policy: Any) -> None:
    log = Log()
    modules = {"away": Away(log, until_bad_is_cancelled), "fails": Step(log, fails_while_away)}
    made, output = job(modules, keep=("away",), on_error=policy)
    report, error = await outcome(made)
    assert (error is not None) == (policy == "stop")
    assert log.of("cancelled") == [BAD]
    assert sorted(log.of("produces")) == xs(output) == [0, 2]
    assert (report.cancelled, report.errors, report.events.failed) == (1, 1, 1)


async def test_under_the_policy_continue_external_work_goes_on() -> None:
    async def act(log: Log, x: int) -> None:
        await log.has("fails", BAD)

    async def fails(log: Log, x: int) -> None:
        await log.has("begins", x)
        if x == BAD:
            log.note("fails", x)
            raise ValueError("a bad hit")

    log = Log()
    made, _ = job({"away": Away(log, act), "fails": Step(log, fails)}, on_error="continue")
    report, _ = await outcome(made)
    assert (log.of("cancelled"), sorted(log.of("produces")), report.cancelled) == ([], [0, 1, 2], 0)


@GIVING_UP
async def test_each_external_work_that_is_cancelled_is_counted(policy: Any) -> None:
    one, two = Log(), Log()

    async def fails(log: Log, x: int) -> None:
        await fails_while_away(one, x)
        await fails_while_away(two, x)

    modules = {"one": Away(one, until_bad_is_cancelled), "two": Away(two, until_bad_is_cancelled)}
    made, output = job({**modules, "fails": Step(one, fails)}, on_error=policy)
    report, _ = await outcome(made)
    assert (one.of("cancelled"), two.of("cancelled"), report.cancelled) == ([BAD], [BAD], 2)
    assert xs(output) == [0, 2]


async def test_external_work_that_was_over_is_not_counted_as_cancelled() -> None:
    async def fails(log: Log, x: int) -> None:
        await log.has("produces", x)
        if x == BAD:
            raise ValueError("a bad hit")

    log = Log()
    made, _ = job({"away": Away(log, at_once), "fails": Step(log, fails)}, on_error="skip")
    report, _ = await outcome(made)
    assert (report.cancelled, report.events.failed) == (0, 1)


class Ends(Listener):
    """Notes the end of each event in a log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.log.note("event ends", number)


async def puts_in_order(log: Log, x: int) -> None:
    """External work that takes a while to end once it is cancelled."""
    try:
        await until_bad_is_cancelled(log, x)
    except asyncio.CancelledError:
        log.note("cancelled", x)
        for _ in range(10):
            await asyncio.sleep(0)
        log.note("in order", x)
        raise


@GIVING_UP
async def test_an_event_ends_only_when_its_cancelled_work_has(policy: Any) -> None:
    log = Log()
    made, _ = job({"away": Away(log, puts_in_order), "fails": Step(log, fails_while_away)}, on_error=policy)
    report, _ = await outcome(made, listeners=[Ends(log)])
    assert report.cancelled == 1
    mine = [what for what, x in log.lines if x == BAD and what != "cancelled"]
    assert mine == ["begins", "in order", "event ends"]


async def takes_no_notice(log: Log, x: int) -> None:
    """External work that ends well although it is cancelled, some time after."""
    if x != BAD:
        return
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        for _ in range(10):
            await asyncio.sleep(0)


async def raises_otherwise(log: Log, x: int) -> None:
    """External work that turns its cancellation into another error."""
    try:
        await takes_no_notice(log, x)
    finally:
        if x == BAD:
            raise KeyError("while cancelled")


class Fresh(Step):
    """Fails where its task is left with a cancellation that was meant for another event."""

    async def produce(self, event: Event) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        await asyncio.sleep(0)
        await super().produce(event)


@GIVING_UP
@pytest.mark.parametrize("act", [takes_no_notice, raises_otherwise])
@pytest.mark.parametrize("streams", [1, 2, 6])
async def test_work_that_takes_no_notice_of_its_cancellation_is_awaited_and_its_result_dropped(
    policy: Any, act: Act, streams: int
) -> None:
    async def fails(log: Log, x: int) -> None:
        await log.has("begins", x)
        if x == BAD:
            raise ValueError("a bad hit")

    log = Log()
    modules = {"away": Away(log, act), "fails": Step(log, fails), "fresh": Fresh(log, at_once)}
    made, output = job(modules, 6, on_error=policy, streams=streams)
    report, _ = await outcome(made)
    assert (report.cancelled, report.errors, report.events.failed) == (1, 1, 1)
    assert report.failures[0].error.label == "fails"
    assert sorted(log.of("produces")) == xs(output)
    assert BAD not in xs(output)
    if policy == "skip":
        assert xs(output) == [0, 2, 3, 4, 5]


@GIVING_UP
async def test_a_step_of_a_module_that_waits_is_not_cancelled_but_nothing_comes_after_it(policy: Any) -> None:
    async def waits(log: Log, x: int) -> None:
        log.note("begins", x)
        try:
            await log.has("event fails", BAD)
            for _ in range(5):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            log.note("cancelled", x)
            raise
        log.note("ends", x)

    async def fails(log: Log, x: int) -> None:
        await fails_while_away_then_say(log, x)

    log, behind = Log(), Log()
    modules = {"waits": Step(log, waits), "fails": Step(log, fails), "behind": Away(behind, at_once, x="waits")}
    made, _ = job(modules, on_error=policy, paths={"p": ["waits", "behind"], "q": ["fails"]})
    report, _ = await outcome(made)
    assert (log.of("cancelled"), sorted(log.of("ends")), report.cancelled) == ([], [0, 1, 2], 0)
    assert sorted(behind.of("begins")) == [0, 2]


async def fails_while_away_then_say(log: Log, x: int) -> None:
    if x == BAD:
        log.note("event fails", BAD)
    await fails_while_away(log, x)


@GIVING_UP
async def test_external_work_does_not_begin_where_its_event_is_given_up_in_acquire(policy: Any) -> None:
    class Acquires(Away):
        async def acquire(self, event: Event) -> int:  # type: ignore[override]
            self.log.note("acquires", event[self.x])
            await self.log.has("event fails", BAD)
            for _ in range(5):
                await asyncio.sleep(0)
            return event[self.x]

    async def fails(log: Log, x: int) -> None:
        for each in range(3):
            await log.has("acquires", each)
        if x == BAD:
            log.note("event fails", BAD)
            raise ValueError("a bad hit")

    log = Log()
    made, _ = job({"away": Acquires(log, at_once), "fails": Step(log, fails)}, on_error=policy)
    report, _ = await outcome(made)
    assert sorted(log.of("begins")) == sorted(log.of("produces")) == [0, 2]
    assert (report.cancelled, report.errors) == (0, 1)


async def holds_the_queue(log: Log, x: int) -> None:
    """A step of a serial module, which the first event that comes holds until the bad one is given up."""
    log.note("takes", x)
    if log.of("takes")[0] == x:
        log.note("held", BAD)
        await log.has("given up", BAD)
        for _ in range(5):
            await asyncio.sleep(0)


async def fails_in_the_queue(log: Log, x: int) -> None:
    if x == BAD:
        await log.has("held", BAD)
        for _ in range(10):
            await asyncio.sleep(0)
        log.note("given up", BAD)
        raise ValueError("a bad hit")


BOUNDS = pytest.mark.parametrize(
    "bound", [{"kind": "serial"}, {"limit": 1}, {"resources": ("tape",)}], ids=["serial", "limit", "resource"]
)


@GIVING_UP
@BOUNDS
async def test_an_event_that_is_given_up_leaves_the_queue_of_a_bounded_module(policy: Any, bound: Any) -> None:
    log = Log()
    queued = type("Bound", (Step,), bound)(log, holds_the_queue)
    made, output = job({"queued": queued, "fails": Step(log, fails_in_the_queue)}, 4, on_error=policy)
    report, _ = await outcome(made)
    assert log.of("takes") == [0, 2, 3]
    assert (xs(output), report.errors, report.cancelled) == ([0, 2, 3], 1, 0)


@GIVING_UP
@BOUNDS
async def test_an_event_that_is_given_up_leaves_every_queue_in_which_it_is(policy: Any, bound: Any) -> None:
    log = Log()
    modules = {name: type("Bound", (Step,), bound)(log, holds_the_queue) for name in ("one", "two", "three")}
    made, output = job({**modules, "fails": Step(log, fails_in_the_queue)}, 4, on_error=policy)
    report, _ = await outcome(made)
    assert sorted(log.of("takes")) == [0, 0, 0, 2, 2, 2, 3, 3, 3]
    assert (xs(output), report.errors) == ([0, 2, 3], 1)


@BOUNDS
async def test_a_turn_that_came_to_an_event_as_it_was_given_up_goes_to_the_next(bound: Any) -> None:
    log = Log()

    async def holds(log: Log, x: int) -> None:
        log.note("takes", x)
        if x == 0:
            await log.has("queue", 3)

    async def queues(log: Log, x: int) -> None:
        log.note("queue", x)

    async def after(log: Log, x: int) -> None:
        if x == 0:  # the turn has gone to the bad event, which has not taken it yet
            log.note("given up", BAD)
            await asyncio.sleep(0)

    async def fails(log: Log, x: int) -> None:
        if x == BAD:
            await log.has("given up", BAD)
            raise ValueError("a bad hit")

    modules = {
        "queued": type("Bound", (Step,), bound)(log, holds),
        "queues": Step(log, queues),
        "after": Step(log, after, x="queued"),
        "fails": Step(log, fails),
    }
    made, output = job(modules, 4, on_error="skip")
    report, _ = await outcome(made)
    assert log.of("takes") == [0, 2, 3]
    assert (xs(output), report.errors) == ([0, 2, 3], 1)


@GIVING_UP
@BOUNDS
async def test_a_result_that_waits_for_its_modules_turn_is_dropped_with_its_event(policy: Any, bound: Any) -> None:
    class Produces(Away):
        async def produce(self, event: Event, result: int) -> None:  # type: ignore[override]
            super().produce(event, result)
            await holds_the_queue(self.log, result)

    async def fails(log: Log, x: int) -> None:
        await log.has("ends", x)
        await fails_in_the_queue(log, x)

    async def last_begins(log: Log, x: int) -> None:
        await log.has("begins", 3)

    log = Log()
    modules = {"away": type("Bound", (Produces,), bound)(log, last_begins), "fails": Step(log, fails)}
    made, output = job(modules, 4, on_error=policy)
    report, _ = await outcome(made)
    assert sorted(log.of("produces")) == [0, 2, 3]
    assert (xs(output), report.errors, report.cancelled) == ([0, 2, 3], 1, 0)


# --- timeouts of a module


class InTime(Away):
    external_timeout = TINY


async def never_for_bad(log: Log, x: int) -> None:
    if x == BAD:
        await asyncio.Event().wait()
    await asyncio.sleep(0)


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


# --- the deadline of an event


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


# --- a module that is cancelled from inside


async def raises_cancelled(log: Log, x: int) -> None:
    if x == BAD:
        raise asyncio.CancelledError("by itself")


async def waits_and_raises_cancelled(log: Log, x: int) -> None:
    await asyncio.sleep(0)
    await raises_cancelled(log, x)


async def awaits_what_is_cancelled(log: Log, x: int) -> None:
    task = asyncio.create_task(never(log, x) if x == BAD else at_once(log, x))
    if x == BAD:
        asyncio.get_running_loop().call_soon(task.cancel)
    await task


async def cancels_its_task(log: Log, x: int) -> None:
    task = asyncio.current_task()
    assert task is not None
    if x == BAD:
        task.cancel("from inside")
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("mode", "act"),
    [
        *(
            (mode, act)
            for mode in ("async", "blocking")
            for act in (raises_cancelled, waits_and_raises_cancelled, awaits_what_is_cancelled)
        ),
        ("async", cancels_its_task),
    ],
)
@pytest.mark.parametrize("made_of", [Step, Away])
async def test_a_module_that_is_cancelled_from_inside_fails_as_with_any_error(
    mode: Any, act: Act, made_of: Any
) -> None:
    modules = {"module": made_of(Log(), act), "fresh": Fresh(Log(), at_once)}
    made, output = job(modules, 6, on_error="skip", streams=2)
    report, _ = await outcome(made, mode)
    assert xs(output) == [0, 2, 3, 4, 5]
    (failure,) = report.failures
    assert (failure.error.label, failure.number, report.cancelled) == ("module", BAD, 0)
    assert isinstance(failure.error.__cause__, asyncio.CancelledError)
    assert str(failure.error.args[0]).startswith("CancelledError")


async def test_a_task_group_in_a_module_raises_what_its_tasks_raise() -> None:
    async def groups(log: Log, x: int) -> None:
        async def breaks() -> None:
            await asyncio.sleep(0)
            raise ValueError("in a task")

        async with asyncio.TaskGroup() as group:
            group.create_task(never(log, x) if x == BAD else at_once(log, x))
            if x == BAD:
                group.create_task(breaks())

    made, output = job({"step": Step(Log(), groups), "away": Away(Log(), groups)}, on_error="skip")
    report, _ = await outcome(made)
    assert xs(output) == [0, 2]
    assert isinstance(report.failures[0].error.__cause__, ExceptionGroup)


# --- the end of a job


async def run_of(made: Job, mode: Any) -> tuple[Run, asyncio.Task[Report]]:
    run = Run(made, mode, say=lambda line: None)
    return run, asyncio.create_task(run.run())


async def is_cancelled(task: asyncio.Task[Report]) -> bool:
    """True when a job has ended, or ends now, because it was cancelled."""
    await asyncio.wait([task], timeout=HANGS)
    assert task.done(), "the job hangs"
    return task.cancelled()


@MODES
async def test_a_job_that_is_stopped_while_work_is_away_finishes_what_is_in_flight(mode: Any) -> None:
    log, go_on = Log(), threading.Event()
    begun: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def waits(log: Log, x: int) -> None:
        loop.call_soon_threadsafe(begun.put_nowait, x)
        await asyncio.to_thread(go_on.wait, HANGS)

    class Own(Away):
        async def external_work(self, acquired: int) -> int:  # in "threads" mode on another loop
            await self.act(self.log, acquired)
            return acquired

    made, output = job({"away": Own(log, waits)}, 50, streams=3)
    run, task = await run_of(made, mode)
    in_flight = 1 if mode == "blocking" else 3
    async with asyncio.timeout(HANGS):
        assert sorted([await begun.get() for _ in range(in_flight)]) == [*range(in_flight)]
        assert run.in_flight == in_flight
        assert run.stop("enough")
        assert not run.stop("once more")
        go_on.set()
        report = await task
    assert report.interrupted
    assert (report.events.passed, xs(output), output.closed) == (in_flight, [*range(in_flight)], True)


@ONE_LOOP
async def test_a_stop_that_cancels_ends_what_is_in_flight_and_discards_the_outputs(mode: Any) -> None:
    log = Log()
    made, output = job({"away": Away(log, never)}, 9, streams=3)
    run, task = await run_of(made, mode)
    last = 0 if mode == "blocking" else 2
    async with asyncio.timeout(HANGS):
        await log.has("begins", last)
        assert run.stop("now", cancel=True)
        assert await is_cancelled(task)
    assert sorted(log.of("cancelled")) == [*range(last + 1)]
    assert (output.discarded, output.closed) == (True, False)


@ONE_LOOP
async def test_a_stop_may_cancel_after_one_that_did_not(mode: Any) -> None:
    log = Log()
    made, output = job({"away": Away(log, never)}, 9, streams=3)
    run, task = await run_of(made, mode)
    async with asyncio.timeout(HANGS):
        await log.has("begins", 0 if mode == "blocking" else 2)
        assert run.stop("enough")
        await asyncio.sleep(0)
        assert not task.done()
        assert not run.stop("now", cancel=True)
        assert await is_cancelled(task)
    assert output.discarded


@ONE_LOOP
async def test_a_cancelled_job_awaits_what_its_work_still_does_and_ends_every_module(mode: Any) -> None:
    class Ended(Away):
        def end_job(self) -> None:
            self.log.note("end_job", 0)

    async def cleans_up(log: Log, x: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            log.note("cleaned up", x)

    log = Log()
    made, _ = job({"away": Ended(log, cleans_up)}, 4, streams=4)
    _, task = await run_of(made, mode)
    last = 0 if mode == "blocking" else 3
    async with asyncio.timeout(HANGS):
        await log.has("begins", last)
        task.cancel()
        assert await is_cancelled(task)
    assert sorted(log.of("cleaned up")) == [*range(last + 1)]
    assert log.lines[-1] == ("end_job", 0)


@BOUNDS
async def test_a_cancelled_job_leaves_nobody_in_a_queue(bound: Any) -> None:
    log = Log()

    async def holds(log: Log, x: int) -> None:
        log.note("takes", x)
        await asyncio.Event().wait()

    made, output = job({"queued": type("Bound", (Step,), bound)(log, holds)}, 4)
    _, task = await run_of(made, "async")
    async with asyncio.timeout(HANGS):
        await log.has("takes", 0)
        task.cancel()
        assert await is_cancelled(task)
    assert (log.of("takes"), output.discarded) == ([0], True)


@pytest.mark.parametrize("section", ["lumi", "run"])
async def test_a_job_may_be_cancelled_while_a_section_is_ended_for_which_the_next_one_waits(section: str) -> None:
    log, released = Log(), asyncio.Event()

    async def end(self: Any, ended: Section) -> None:
        log.note("ends", getattr(ended.id, section))
        await released.wait()
        log.note("has ended", getattr(ended.id, section))

    ends = type("Ends", (Analyzer,), {f"end_{section}": end, "analyze": lambda self, event: None})
    ids = [EventID(1, 1, 1), EventID(1, 2, 2) if section == "lumi" else EventID(2, 1, 2)]
    made = Job("t", source=ListSource([{}, {}], ids), modules={"ends": ends()}, streams=1, concurrent_lumis=1)
    _, task = await run_of(made, "async")
    async with asyncio.timeout(HANGS):
        await log.has("ends", 1)
        task.cancel()
        await asyncio.sleep(0)
        released.set()
        assert await is_cancelled(task)
    assert log.lines == [("ends", 1), ("has ended", 1)]


@ONE_LOOP
async def test_a_job_whose_work_takes_no_notice_is_cancelled_when_that_is_over(mode: Any) -> None:
    log, released = Log(), asyncio.Event()

    async def stays(log: Log, x: int) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                log.note("cancelled once", x)

    made, output = job({"away": Away(log, stays)}, 50, streams=2)
    _, task = await run_of(made, mode)
    last = 0 if mode == "blocking" else 1
    async with asyncio.timeout(HANGS):
        await log.has("begins", last)
        task.cancel()
        await log.has("cancelled once", last)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        released.set()
        assert await is_cancelled(task)
    assert output.discarded
    assert log.of("begins") == [*range(last + 1)]
    assert log.of("produces") == []


class Interrupts:
    """External work that sends SIGINT to its own process, and waits until the job has said what it does then."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.said: list[str] = []

    async def act(self, log: Log, x: int) -> None:
        if x == BAD:
            for time in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                await self.has_said(time + 1)
            if self.times == 2:
                await asyncio.Event().wait()
        if x > BAD:
            await self.has_said(1)

    async def has_said(self, lines: int) -> None:
        while len(self.said) < lines:  # noqa: ASYNC110  # in mode "threads" it is said on another loop
            await asyncio.sleep(0)


@MODES
def test_one_sigint_while_work_is_away_lets_what_is_in_flight_end_well(mode: Any) -> None:
    once = Interrupts(1)
    made, output = job({"away": Away(Log(), once.act)}, 500, streams=3)
    report = running.run(made, mode, say=once.said.append)
    assert report.interrupted
    assert report.events.passed == report.events.read < 500
    assert xs(output) == [*range(report.events.read)]
    assert output.closed
    assert once.said[0].startswith("SIGINT: no new events")


@ONE_LOOP
def test_a_second_sigint_cancels_the_work_that_is_away(mode: Any) -> None:
    log, twice = Log(), Interrupts(2)
    made, output = job({"away": Away(log, twice.act)}, 500, streams=3)
    with pytest.raises((asyncio.CancelledError, KeyboardInterrupt)):
        running.run(made, mode, say=twice.said.append)
    assert log.of("cancelled") == [BAD]
    assert (output.discarded, output.closed) == (True, False)
    assert twice.said[1:] == ["SIGINT: cancelled"]


# --- external work in threads


class Valve:
    """External work that waits on a loop of its own, until it is cancelled or the test lets it go."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.cancelled = 0
        self._open: list[Callable[[], object]] = []

    async def act(self, log: Log, x: int) -> None:
        if x != BAD:
            return
        released = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._open.append(lambda: loop.is_closed() or loop.call_soon_threadsafe(released.set))
        self.loop.call_soon_threadsafe(self.begun.set)
        try:
            await released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def open(self) -> None:
        for each in self._open:
            each()

    async def lets_go(self, task: asyncio.Task[Report]) -> bool:
        """True when a job ends although its work would still wait; it is let go in any case."""
        await asyncio.wait([task], timeout=0.5)
        ended = task.done()
        self.open()
        await asyncio.wait([task], timeout=HANGS)
        return ended


@pytest.mark.parametrize("mode", ["async", "threads"])
@pytest.mark.parametrize("name", ["external_timeout", "module_timeout"])
async def test_a_job_does_not_wait_for_work_that_took_too_long(mode: Any, name: str) -> None:
    valve = Valve()
    module = type("InTime", (Away,), {name: TINY, "external_work": lambda self, x: act_and_return(valve, x)})
    made, _ = job({"away": module(Log(), never)}, on_error="skip")
    _, task = await run_of(made, mode)
    assert await valve.lets_go(task)
    assert valve.cancelled == 1
    assert [failure.number for failure in task.result().failures] == [BAD]


async def act_and_return(valve: Valve, x: int) -> int:
    await valve.act(Log(), x)
    return x


@pytest.mark.parametrize("mode", ["async", "threads"])
async def test_a_job_does_not_wait_for_work_of_an_event_that_was_given_up(mode: Any) -> None:
    valve = Valve()

    async def fails(log: Log, x: int) -> None:
        if x == BAD:
            await valve.begun.wait()
            raise ValueError("a bad hit")

    module = type("Own", (Away,), {"external_work": lambda self, x: act_and_return(valve, x)})
    made, _ = job({"away": module(Log(), never), "fails": Step(Log(), fails)}, on_error="skip")
    _, task = await run_of(made, mode)
    assert await valve.lets_go(task)
    assert (valve.cancelled, task.result().cancelled) == (1, 1)


@pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
async def test_a_cancelled_job_does_not_wait_for_the_end_of_its_work(mode: Any) -> None:
    valve = Valve()
    module = type("Own", (Away,), {"external_work": lambda self, x: act_and_return(valve, x)})
    made, output = job({"away": module(Log(), never)})
    _, task = await run_of(made, mode)
    await valve.begun.wait()
    task.cancel()
    assert await valve.lets_go(task)
    assert (valve.cancelled, task.cancelled(), output.discarded) == (1, True, True)


async def test_work_in_a_thread_that_is_late_does_not_keep_its_thread_from_the_next_events() -> None:
    valve = Valve()
    module = type(
        "InTime", (Away,), {"external_timeout": TINY, "external_work": lambda self, x: act_and_return(valve, x)}
    )
    made, output = job({"away": module(Log(), never)}, 6, on_error="skip", streams=1)
    _, task = await run_of(made, "threads")
    await valve.lets_go(task)
    assert xs(output) == [0, 2, 3, 4, 5]
