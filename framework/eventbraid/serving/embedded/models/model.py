"""One version of a model that is loaded: its copies, the requests that wait for them, and what was done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter

from eventbraid.serving.backends.base import Instance, Reply, Request
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.models.batching import Batching, take
from eventbraid.serving.embedded.models.queueing import Queue, expired
from eventbraid.serving.embedded.models.shapes import Shapes
from eventbraid.serving.embedded.models.statistics import Statistics
from eventbraid.serving.embedded.models.worker import Batch, Worker
from eventbraid.serving.repository.layout import ModelEntry

__all__ = ["Model"]


class Model:
    """Executes requests: what came first, first, as its configuration's batching, priorities and bounds say.

    `start` loads it, `stop` ends it after what waits has been answered. It belongs to the running event loop.
    `worker` is what executes batches with each instance.
    """

    def __init__(
        self,
        entry: ModelEntry,
        version: str,
        instances: Sequence[Callable[[], Instance]],
        worker: type[Worker] = Worker,
    ) -> None:
        self.entry = entry
        self.version = version
        self.statistics = Statistics()
        self.decoupled = bool(entry.config.model_transaction_policy.decoupled)
        self.shapes = Shapes(entry.config)
        self._batching = Batching.of(entry.config)
        self._queue: Queue[Request] = Queue.of(entry.config)
        self._answers: dict[Request, asyncio.Future[Reply | None]] = {}
        self._workers = [
            worker(f"{entry.name}/{version} {number}", make, self._done) for number, make in enumerate(instances)
        ]
        self._idle: list[Worker] = []
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"Model({self.entry.name!r}, version {self.version}, {len(self._queue)} waiting)"

    @property
    def waiting(self) -> int:
        """Requests that are not being executed yet."""
        return len(self._queue)

    async def start(self) -> None:
        """Make all copies; raises what one of them raises, and then none is left."""
        made = await asyncio.gather(*(each.start() for each in self._workers), return_exceptions=True)
        for error in made:
            if isinstance(error, BaseException):
                await self._end_workers()
                raise error
        self._idle = list(self._workers)

    async def stop(self) -> None:
        """Answer what waits, then end the copies."""
        await self._empty.wait()
        await self._end_workers()

    async def _end_workers(self) -> None:
        await asyncio.gather(*(each.stop() for each in self._workers))

    async def infer(self, request: Request) -> Reply:
        """The answer of a model that is not decoupled; raises the error that is the answer.

        A decoupled one gives its answers to the request's `send`, and this ends with the last of them.
        Cancelled while it waits, the request is not executed.
        """
        statistics = self.statistics
        statistics.asked()
        try:
            self._queue.add(request)
        except ModelFailure:
            statistics.refused(perf_counter() - request.since)
            raise
        answer = self._answers[request] = self._loop.create_future()
        self._empty.clear()
        self._pump_soon()
        try:
            reply = await answer
        except asyncio.CancelledError:
            request.cancelled = True
            self._queue.remove(request)
            raise
        except Exception:
            statistics.fail.add(perf_counter() - request.since)
            raise
        finally:
            del self._answers[request]
            if not self._answers:
                self._empty.set()
        statistics.success.add(perf_counter() - request.since)
        return reply or Reply()

    def stream(self, request: Request, arrive: Callable[[Reply], None]) -> None:
        """Let `arrive` have the answers of a decoupled model on the event loop, as they come."""

        def send(reply: Reply | None) -> None:
            self._loop.call_soon_threadsafe(arrived, reply)

        def arrived(reply: Reply | None) -> None:
            if reply is not None:
                arrive(reply)
            elif (answer := self._answers.get(request)) is not None and not answer.done():
                answer.set_result(None)

        request.send = send

    def _pump_soon(self) -> None:
        """Once all requests that came at the same time are there: they can be one batch."""
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        now = perf_counter()
        if self._queue.expires:
            for request in self._queue.expire(now):
                self.statistics.rejected += 1
                self._answer(request, error=expired())
        while self._idle and (requests := take(self._queue, self._batching, now)):
            for request in requests:
                self._queue.remove(request)
            self._idle.pop().execute(Batch(requests, taken=now))
        self._wake(now)

    def _wake(self, now: float) -> None:
        """Look again when a batch has waited long enough for more, or a request too long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [self._queue.next_expiry()] if self._queue.expires else []
        if self._idle and (first := next(iter(self._queue), None)) is not None:
            due.append(first.since + self._batching.delay)
        if times := [each for each in due if each]:
            self._timer = self._loop.call_later(max(min(times) - now, 0.0), self._pump)

    def _done(self, worker: Worker, batch: Batch) -> None:
        self._idle.append(worker)
        now, good, rows = perf_counter(), 0, 0
        if batch.error is not None:
            for request in batch.requests:
                self._answer(request, error=batch.error)
        elif self.decoupled:
            good, rows = len(batch.requests), sum(each.rows for each in batch.requests)
        else:
            for request, reply in zip(batch.requests, batch.replies, strict=True):
                if reply.error is None:
                    good, rows = good + 1, rows + (request.rows if self.entry.max_batch_size else 1)
                self._answer(request, reply, reply.error)
        self.statistics.executed(batch, good, rows, now)
        if self._queue:
            self._pump()

    def _answer(self, request: Request, reply: Reply | None = None, error: Exception | None = None) -> None:
        answer = self._answers.get(request)
        if answer is None or answer.done():
            return  # cancelled
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(reply)
