"""An event that is given up: its external work is cancelled and awaited, it leaves its queues, nothing comes after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from giving_up import (
    BAD,
    BOUNDS,
    GIVING_UP,
    Act,
    Away,
    Ends,
    Fresh,
    Log,
    Step,
    at_once,
    job,
    outcome,
    raises_otherwise,
    takes_no_notice,
    xs,
)

from eventbraid import Event


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
