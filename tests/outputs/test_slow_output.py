"""An output that is slower than the events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from eventbraid import Analyzer, Event, EventID, Job
from eventbraid import ledger as module
from eventbraid.outputs import Row
from eventbraid.services import Listener
from eventbraid.testing import ListOutput, ListSource


class SlowOutput(ListOutput):
    """Its first write ends when it is let."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.let = threading.Event()

    def write(self, rows: Sequence[Row]) -> None:
        assert self.let.wait(60)
        super().write(rows)


class LetsOthersRun(Analyzer):
    """Gives the loop to the write that is under way."""

    async def analyze(self, event: Event) -> None:
        await asyncio.sleep(0)


class LetsWrite(Listener):
    """Lets the output write when so many events have ended."""

    def __init__(self, output: SlowOutput, events: int) -> None:
        self.output, self.left = output, events

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.left -= 1
        if not self.left:
            self.output.let.set()


async def test_reading_goes_on_when_a_slow_write_ends_after_the_last_event_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "MOST_AHEAD", 4)
    output, source = SlowOutput(keep=["x"]), ListSource([{"x": number} for number in range(30)])
    modules, paths = {"waits": LetsOthersRun()}, {"p": ["waits"]}
    job = Job("slow", source=source, modules=modules, paths=paths, outputs=[output], streams=1)
    written_and_full = 2 + 4 + 1
    run = job.run_async(listeners=[LetsWrite(output, written_and_full)])
    assert (await asyncio.wait_for(run, 60)).events.read == 30
    assert [row.products["x"] for row in output.rows] == list(range(30))
