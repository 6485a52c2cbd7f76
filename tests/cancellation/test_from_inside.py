"""Modules that are cancelled from inside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from giving_up import BAD, Act, Away, Fresh, Log, Step, at_once, job, never, outcome, xs


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
