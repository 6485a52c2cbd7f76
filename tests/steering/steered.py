"""A run whose events wait at a gate, and what is noted of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventbraid import Analyzer, Event, EventID, Job, Kept, Report, Section
from eventbraid.running import Run
from eventbraid.services import Listener
from eventbraid.sources import EmptySource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
BRAIDED = pytest.mark.parametrize("mode", ["async", "threads"])
HANGS = 10.0
"""Seconds after which a run hangs."""


class Gate(Analyzer):
    """Events wait here until they are let go."""

    kind = "shared"

    def __init__(self) -> None:
        super().__init__()
        self.came: list[int] = []
        self.inside: set[int] = set()
        self._changed = asyncio.Event()
        self._open: set[int] = set()
        self._all = False

    async def analyze(self, event: Event) -> None:
        number = event.number
        self.came.append(number)
        self.inside.add(number)
        self._tell()
        while not (self._all or number in self._open):
            await self._change()
        self.inside.remove(number)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()

    def let(self, number: int) -> None:
        self._open.add(number)
        self._tell()

    def let_all(self) -> None:
        self._all = True
        self._tell()

    async def holds(self, count: int) -> None:
        """Until so many events are inside."""
        async with asyncio.timeout(HANGS):
            while len(self.inside) != count:
                await self._change()


async def turns(count: int = 50) -> None:
    """Let the loop go round, so that what could happen has."""
    for _ in range(count):
        await asyncio.sleep(0)


class Flights(Listener):
    """Counts events in flight, as they begin and end."""

    def __init__(self) -> None:
        self.inside = self.most = self.begun = self.ended = 0

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self.begun += 1
        self.inside += 1
        self.most = max(self.most, self.inside)

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.ended += 1
        self.inside -= 1


def steered(
    gate: Gate, mode: Any = "async", events: int = 20, per_lumi: int = 0, more: Any = None, **settings: Any
) -> tuple[Run, Flights, asyncio.Task[Report]]:
    """A run whose events wait at a gate."""
    flights = Flights()
    job = Job(
        "t",
        source=EmptySource(events=events, per_lumi=per_lumi),
        modules={"gate": gate, **(more or {})},
        streams=settings.pop("streams", 3),
        concurrent_lumis=settings.pop("concurrent_lumis", 2),
    )
    run = Run(job, mode, listeners=[flights], say=lambda line: None, **settings)
    return run, flights, asyncio.create_task(run.run())


async def ended(task: asyncio.Task[Report]) -> Report:
    """The report of a run that may not hang."""
    async with asyncio.timeout(HANGS):
        return await task


class Sections(Analyzer):
    """Notes begin and end of each section that it is told of, and of the job, for each copy."""

    kept = Kept[int]()

    def __init__(self, log: list[tuple[str, str, int]], copies: list[int], fails_at: int = 0) -> None:
        super().__init__()
        self.log, self.copies, self.fails_at = log, copies, fails_at
        self.copy = 0

    async def begin_job(self) -> None:
        await asyncio.sleep(0)
        self.copies.append(self.copy)
        self.copy = len(self.copies)
        self.log.append(("begin", "job", self.copy))
        if self.copy == self.fails_at:
            raise ValueError("no more")

    def end_job(self) -> None:
        self.log.append(("end", "job", self.copy))

    def begin_lumi(self, lumi: Section) -> None:
        self.log.append(("begin", str(lumi), self.copy))

    def end_lumi(self, lumi: Section) -> None:
        self.log.append(("end", str(lumi), self.copy))

    def analyze(self, event: Event) -> None:
        lumi = f"lumi 1:{event.id.lumi}"
        mine = [what for what, section, copy in self.log if (section, copy) == (lumi, self.copy)]
        assert mine == ["begin"]


def all_have_ended(log: list[tuple[str, str, int]]) -> bool:
    """Every begin has its end, and comes before it."""
    return all(
        [each for each, *of in log if (section, copy) == tuple(of)] == ["begin", "end"] for _, section, copy in log
    )
