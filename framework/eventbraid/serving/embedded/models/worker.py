"""A thread of its own for each copy of a model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from time import perf_counter

from eventbraid.serving.backends.base import Instance, Reply, Request

__all__ = ["Batch", "Worker"]


@dataclass(slots=True)
class Batch:
    """Requests that are executed together, and when what happened, by `perf_counter`."""

    requests: Sequence[Request]
    replies: Sequence[Reply] = ()
    error: Exception | None = None
    taken: float = field(default_factory=perf_counter)
    began: float = 0.0
    ended: float = 0.0


class Worker:
    """Makes an instance, executes batches with it one after the other and ends it, all in one thread."""

    def __init__(self, name: str, make: Callable[[], Instance], done: Callable[[Worker, Batch], None]) -> None:
        self._make, self._done = make, done
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._made = self._loop.create_future()
        self._ended = asyncio.Event()
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def __repr__(self) -> str:
        return f"Worker({self._thread.name})"

    async def start(self) -> None:
        """Make the instance; raises what it raises."""
        self._thread.start()
        await asyncio.shield(self._made)

    def execute(self, batch: Batch) -> None:
        """Execute a batch when the one before is over; `done` is told on the event loop."""
        self._batches.put(batch)

    async def stop(self) -> None:
        """End the instance, after what is being executed."""
        if not self._thread.is_alive():
            return
        self._batches.put(None)
        await self._ended.wait()

    def _work(self) -> None:
        try:
            instance = self._make()
        except BaseException as error:  # noqa: BLE001  # told to who waits for it
            self._tell(self._fail, error)
            self._tell(self._ended.set)
            return
        self._tell(self._set_made)
        while (batch := self._batches.get()) is not None:
            batch.began = perf_counter()
            try:
                batch.replies = instance.execute(batch.requests)
            except Exception as error:  # noqa: BLE001  # the requests' error, not the server's end
                batch.error = error
            except SystemExit as error:  # nor is this: the thread would be gone, and nobody would be told
                batch.error = RuntimeError(repr(error))
            batch.ended = perf_counter()
            self._tell(self._done, self, batch)
            del batch  # its tensors, while there is no next one
        try:
            instance.close()
        except (Exception, SystemExit):
            logging.getLogger(__name__).exception("%s failed at its end", self._thread.name)
        self._tell(self._ended.set)

    def _set_made(self) -> None:
        if not self._made.done():
            self._made.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if not self._made.done():
            self._made.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _tell(self, what: Callable[..., object], *given: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what, *given)
