"""Jobs and modules of the edge cases, each test of which has the number of its case in its name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from eventbraid import (
    Analyzer,
    Event,
    ExternalFilter,
    ExternalProducer,
    Filter,
    Input,
    Job,
    ModuleError,
    Output,
    Parameter,
    Producer,
    Report,
)
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])


POLICIES = pytest.mark.parametrize("policy", ["stop", "skip", "continue"])


class Copy(Producer):
    x = Input[int]("x")
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = event[self.x]


class Above(Filter):
    x = Input[int]("x")
    cut = Parameter(0, doc="passes above")

    async def filter(self, event: Event) -> bool:
        return event[self.x] > self.cut


class Fails(Producer):
    """Raises for every event, at once or after it has waited."""

    x = Input[int]("x")
    value = Output[int]()
    waits = Parameter(True)

    async def produce(self, event: Event) -> None:
        if self.waits:
            await asyncio.sleep(0)
        raise ValueError("a bad hit")


class See(Analyzer):
    """Notes what it reads, None where that is absent."""

    kind = "shared"
    x = Input[int]("x")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[int | None] = []

    def analyze(self, event: Event) -> None:
        self.seen.append(event.get(self.x))


class SeeIfThere(See):
    """The same, which runs also where what should have put it has failed."""

    x = Input[int]("x", optional=True)


class Away(ExternalProducer[int, int]):
    """Its external work is the function that it is made with; `steps` are what it did, in order."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, work: Callable[[int], Awaitable[Any]], **settings: Any) -> None:
        super().__init__(**settings)
        self.work = work
        self.steps: list[tuple[str, int]] = []

    def acquire(self, event: Event) -> int:
        self.steps.append(("acquire", event[self.x]))
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        self.steps.append(("work", acquired))
        result: int = await self.work(acquired)
        return result

    def produce(self, event: Event, result: int) -> None:
        self.steps.append(("produce", event[self.x]))
        event[self.value] = result


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])


def job(modules: dict[str, Any], count: int = 3, keep: Sequence[str] = (), **settings: Any) -> tuple[Job, ListOutput]:
    """A job whose events hold x from 0, with every module on a path of its own unless paths are given."""
    output = ListOutput(keep=keep)
    settings = {"paths": {f"p_{label}": [label] for label in modules}, **settings}
    return Job("t", source=numbers(count), modules=modules, outputs=[output], **settings), output


def rows(output: ListOutput, name: str) -> list[Any]:
    return [row.products[name] for row in output.rows]


async def at_once(acquired: int) -> int:
    return acquired * 10


async def much_later(acquired: int) -> int:
    for _ in range(20 - 5 * acquired):
        await asyncio.sleep(0)
    return acquired * 10


async def of_a_done_future(acquired: int) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(acquired * 10)
    return await future


async def of_a_thread(acquired: int) -> int:
    return await asyncio.to_thread(lambda: acquired * 10)


WORKS = pytest.mark.parametrize("work", [at_once, much_later, of_a_done_future, of_a_thread])


async def raises_later(acquired: int) -> int:
    await asyncio.sleep(0)
    raise ValueError("dropped")


class FailsIn(ExternalFilter[int, int]):
    """Raises in the step that is named, of the event whose x is 1, at once or after it has waited."""

    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, step: str, waits: bool) -> None:
        super().__init__()
        self.step, self.waits = step, waits

    async def maybe(self, step: str, x: int) -> None:
        if self.waits:
            await asyncio.sleep(0)
        if step == self.step and x == 1:
            raise ValueError(f"in {step}")

    async def acquire(self, event: Event) -> int:
        await self.maybe("acquire", event[self.x])
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        await self.maybe("external work", acquired)
        return acquired

    async def filter(self, event: Event, result: int) -> bool:
        await self.maybe("filter", result)
        event[self.value] = result
        return True


STEPS = pytest.mark.parametrize("step", ["acquire", "external work", "filter"])


WAITS = pytest.mark.parametrize("waits", [False, True])


def outcome(made: Job, mode: Any) -> tuple[Report, ModuleError | None]:
    """The report of a job, and the error that it raised."""
    try:
        return made.run(mode), None
    except ModuleError as error:
        assert error.report is not None
        return error.report, error


class FailsAt(Fails):
    """The same, only where x is 1."""

    async def produce(self, event: Event) -> None:
        if event[self.x] == 1:
            await super().produce(event)
        event[self.value] = event[self.x]


DEPTHS = pytest.mark.parametrize(
    ("mode", "deep"),
    [
        ("async", 100),
        ("blocking", 100),
        ("threads", 100),
        ("async", 500),
        ("blocking", 500),
        ("threads", 500),
    ],
)


class CopyLater(Copy):
    async def produce(self, event: Event) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        event[self.value] = event[self.x]


BRAIDED = pytest.mark.parametrize("mode", ["async", "threads"])
