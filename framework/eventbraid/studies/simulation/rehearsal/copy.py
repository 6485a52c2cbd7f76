"""A copy of a model on a simulated GPU, as the batcher's `Model` uses one: it takes its time on the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from eventbraid.serving.backends.base import Instance, Reply, Request
from eventbraid.serving.embedded.models.worker import Batch, Worker
from eventbraid.serving.emulation import Clock, ServiceTime
from eventbraid.studies.simulation.log import Batches, Spans

__all__ = ["Copy", "VirtualWorker"]


class Copy:
    """Where a copy is executed, and how long that takes; it answers nothing itself."""

    def __init__(self, clock: Clock, service: ServiceTime, batches: Batches, waits: Spans) -> None:
        self._clock, self._service, self._batches, self._waits = clock, service, batches, waits

    def take(self, batch: Batch) -> float:
        """Take the GPU's time for a batch; returns when that is over."""
        seconds = self._service.seconds(sum(each.rows for each in batch.requests))
        for request in batch.requests:
            self._waits.add(request.since, batch.taken)
        return self._clock.take(batch.taken, seconds)

    def log(self, batch: Batch) -> None:
        """Note a batch that was executed."""
        rows = sum(each.rows for each in batch.requests)
        self._batches.add(batch.ended, self._service.seconds(rows), rows, len(batch.requests))

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """Empty answers."""
        return [Reply() for _ in requests]

    def close(self) -> None:
        """Nothing is held."""


class VirtualWorker(Worker):
    """Executes batches without a thread: each is over when its GPU's time is."""

    def __init__(self, name: str, make: Callable[[], Instance], done: Callable[[Worker, Batch], None]) -> None:
        self._name, self._done = name, done
        self._copy = cast("Copy", make())
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"VirtualWorker({self._name})"

    async def start(self) -> None:
        """It is there."""

    def execute(self, batch: Batch) -> None:
        """Have `done` called when the batch is over."""
        batch.began = batch.taken
        batch.ended = self._copy.take(batch)
        self._loop.call_at(batch.ended, self._executed, batch)

    def _executed(self, batch: Batch) -> None:
        batch.replies = self._copy.execute(batch.requests)
        self._copy.log(batch)
        self._done(self, batch)

    async def stop(self) -> None:
        """There is nothing to end."""
