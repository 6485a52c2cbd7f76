"""Modules and jobs of which something is given up, and what a test can await of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eventbraid import Event, EventID, ExternalProducer, Input, Job, ModuleError, Output, Producer, Report
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


class Ends(Listener):
    """Notes the end of each event in a log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.log.note("event ends", number)


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


BOUNDS = pytest.mark.parametrize(
    "bound", [{"kind": "serial"}, {"limit": 1}, {"resources": ("tape",)}], ids=["serial", "limit", "resource"]
)


async def never_for_bad(log: Log, x: int) -> None:
    if x == BAD:
        await asyncio.Event().wait()
    await asyncio.sleep(0)


async def run_of(made: Job, mode: Any) -> tuple[Run, asyncio.Task[Report]]:
    run = Run(made, mode, say=lambda line: None)
    return run, asyncio.create_task(run.run())
