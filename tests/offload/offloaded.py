"""Modules whose steps run in threads, and jobs of them."""

from __future__ import annotations

import asyncio
import threading
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
    Producer,
    Report,
)
from eventbraid.running import Run
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
BRAIDED = pytest.mark.parametrize("mode", ["async", "threads"])
OFFLOADED = pytest.mark.parametrize("offload", [False, True])
HANGS = 10.0
"""Seconds after which a run hangs."""


class Where:
    """The names of the threads in which steps ran."""

    def __init__(self) -> None:
        self.of: list[tuple[str, str]] = []

    def note(self, step: str) -> None:
        self.of.append((step, threading.current_thread().name.split("_")[0]))


class Plain(Producer):
    offload = True
    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, where: Where, **settings: Any) -> None:
        super().__init__(**settings)
        self.where = where

    def produce(self, event: Event) -> None:
        self.where.note("produce")
        event[self.value] = event[self.x] * 10


class Decides(Filter):
    offload = True
    kind = "shared"
    x = Input[int]("x")

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def filter(self, event: Event) -> bool:
        self.where.note("filter")
        return event[self.x] > 0


class Looks(Analyzer):
    offload = True
    kind = "shared"
    x = Input[int]("x")

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def analyze(self, event: Event) -> None:
        self.where.note("analyze")


class Away(ExternalProducer[int, int]):
    offload = True
    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def acquire(self, event: Event) -> int:
        self.where.note("acquire")
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(0)
        self.where.note("external work")
        return acquired * 10

    def produce(self, event: Event, result: int) -> None:
        self.where.note("produce")
        event[self.value] = result


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])


def job(modules: dict[str, Any], count: int = 3, keep: tuple[str, ...] = (), **settings: Any) -> tuple[Job, ListOutput]:
    """A job whose events hold x from 0, with every module on a path of its own unless paths are given."""
    output = ListOutput(keep=keep)
    settings = {"paths": {f"p_{label}": [label] for label in modules}, "streams": count, **settings}
    return Job("t", source=numbers(count), modules=modules, outputs=[output], **settings), output


async def outcome(made: Job, mode: Any = "async") -> tuple[Report, ModuleError | None]:
    """The report of a run that may not hang, and the error that it raised."""
    async with asyncio.timeout(HANGS):
        try:
            return await Run(made, mode, say=lambda line: None).run(), None
        except ModuleError as error:
            assert error.report is not None
            return error.report, error


class FailsIn(ExternalFilter[int, int]):
    """Raises in the step that is named, of the event whose x is 1."""

    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, step: str, error: type[BaseException]) -> None:
        super().__init__()
        self.step, self.error = step, error

    def maybe(self, step: str, x: int) -> None:
        if step == self.step and x == 1:
            raise self.error("a bad hit")

    def acquire(self, event: Event) -> int:
        self.maybe("acquire", event[self.x])
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        self.maybe("external work", acquired)
        return acquired

    def filter(self, event: Event, result: int) -> bool:
        self.maybe("filter", result)
        event[self.value] = result
        return True
