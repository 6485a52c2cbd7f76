"""A real job that drains, waits, and goes on or stops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_control import Gate, Use

from eventbraid import Job
from eventbraid.control import Client, controlled
from eventbraid.running import Run
from eventbraid.sources import EmptySource


def state_after(job: Client, state: str) -> dict[str, Any]:
    """The first status that has another state."""
    return next(found for found in job.watch(0.1) if found["state"] != state)


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_drained_job_reads_nothing_until_it_goes_on_and_ends_when_it_is_stopped(goes_on: bool) -> None:
    gate, addresses = Gate(), []

    @asynccontextmanager
    async def service(run: Run) -> AsyncGenerator[None]:
        async with controlled(run, "127.0.0.1:0") as address:
            addresses.append(address)
            yield

    modules = {"gate": gate, "use": Use()}
    job = Job("slow", source=EmptySource(events=50), modules=modules, paths={"p": ["use"]}, streams=3)
    task = asyncio.create_task(Run(job, services=[service]).run())
    await gate.waiting.wait()
    with Client(addresses[0]) as asked:
        assert await asyncio.to_thread(asked.drain) == {"held": True, "state": "draining"}
        gate.open.set()
        found = await asyncio.to_thread(state_after, asked, "draining")
        assert (found["state"], found["events"]["read"], found["events"]["passed"]) == ("drained", 3, 3)
        assert not task.done()
        await asyncio.to_thread(asked.resume if goes_on else asked.stop)
    report = await task
    assert (report.events.read, report.interrupted) == ((50, False) if goes_on else (3, True))
