"""A simulated server: the batcher's own decisions, GPUs that have time for one batch at a time, and wires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from eventbraid.errors import ServerBusy, ServerError, ServerUnavailable
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.models.batching import take
from eventbraid.serving.embedded.models.queueing import Queue, QueuePolicy
from eventbraid.serving.emulation.clock import end_of
from eventbraid.studies.simulation.call import Call
from eventbraid.studies.simulation.engine import Engine
from eventbraid.studies.simulation.log import Batches, Log, Spans
from eventbraid.studies.simulation.study import Model, Server
from eventbraid.studies.simulation.wires import wires

__all__ = ["Site"]

_Executed: TypeAlias = "tuple[_Loaded, _Gpu, Sequence[Call], int, float, int]"
"""A batch: its model, GPU, calls, rows and seconds, and which of the server's lives it belongs to."""


class _Gpu:
    """It has time from `free_at` on."""

    __slots__ = ("free_at",)

    def __init__(self) -> None:
        self.free_at = 0.0


class _Loaded:
    """A model: its queue, and the GPU of each copy that is idle."""

    __slots__ = ("_gpus", "batching", "idle", "model", "pumping", "queue", "service", "timed")

    def __init__(self, server: Server, name: str, model: Model, gpus: list[_Gpu]) -> None:
        self.model, self.batching, self.service = model, model.batching, server.device.service(name)
        self._gpus = [gpu for gpu in gpus for _ in range(model.instances)]
        self.pumping = self.timed = False
        self.clear()

    def clear(self) -> None:
        """As it is when the server starts."""
        self.queue = Queue({1: QueuePolicy(self.model.most_waiting)})
        self.idle = list(self._gpus)


class Site:
    """One server. It answers by calling the call's `ended`, once the answer has made its way."""

    def __init__(self, engine: Engine, server: Server, log: Log) -> None:
        self.server, self.up = server, server.up(0.0)
        self._engine = engine
        self._half = server.network.latency / 2
        self._in, self._out = wires(server.network.server)
        self._gpus = [_Gpu() for _ in range(server.device.gpus)]
        self._models: Mapping[str, _Loaded] = {
            name: _Loaded(server, name, model, self._gpus) for name, model in server.models.items()
        }
        self._present: dict[Call, None] = {}
        self._life = 0
        self._batches = log.batches[server.name] = Batches()
        self._waits = log.waiting[server.name] = Spans()
        for failure in server.failures:
            engine.at(failure.at, self._turn, None)
            if failure.until < float("inf"):
                engine.at(failure.until, self._turn, None)

    def __repr__(self) -> str:
        return f"Site({self.server.name}, {len(self._present)} requests{'' if self.up else ', dead'})"

    def arrive(self, call: Call) -> None:
        """A request is here, or its first byte where the server's link takes time."""
        if not self.up:
            self._refuse(call, ServerUnavailable("connection refused", server=self.server.name))
            return
        self._present[call] = None
        if self._in is not None:
            size = call.rows * self.server.models[call.model].row_bytes
            self._engine.at(self._in.sent(size, self._engine.now), self._enqueue, call)
        else:
            self._enqueue(call)

    def cancel(self, call: Call) -> None:
        """Nobody waits for it any more: it is not executed if it is not yet."""
        if call in self._present:
            call.cancelled = True
            del self._present[call]
            self._models[call.model].queue.remove(call)

    def _enqueue(self, call: Call) -> None:
        if call not in self._present:  # the server has died meanwhile
            return
        loaded = self._models[call.model]
        call.since = self._engine.now
        try:
            loaded.queue.add(call)
        except ModelFailure as error:
            del self._present[call]
            self._refuse(call, ServerBusy(str(error), server=self.server.name))
            return
        if not loaded.batching.most:
            self._pump(loaded)
        elif not loaded.pumping:  # once all that come at the same time are there: they can be one batch
            loaded.pumping = True
            self._engine.at(self._engine.now, self._pump, loaded)

    def _pump(self, loaded: _Loaded) -> None:
        loaded.pumping = False
        now, batching, queue, idle = self._engine.now, loaded.batching, loaded.queue, loaded.idle
        while idle and queue and (batch := take(queue, batching, now)):
            rows = 0
            for call in batch:
                queue.remove(call)
                rows += call.rows
                self._waits.add(call.since, now)
            gpu, seconds = idle.pop(), loaded.service.seconds(rows)
            gpu.free_at = end = end_of(gpu.free_at, now, seconds)
            self._engine.at(end, self._done, (loaded, gpu, batch, rows, seconds, self._life))
        if batching.delay and idle and not loaded.timed and (first := next(iter(queue), None)) is not None:
            loaded.timed = True
            self._engine.at(first.since + batching.delay, self._waited, loaded)

    def _waited(self, loaded: _Loaded) -> None:
        loaded.timed = False
        self._pump(loaded)

    def _done(self, executed: _Executed) -> None:
        loaded, gpu, batch, rows, seconds, life = executed
        if life != self._life:
            return
        self._batches.add(self._engine.now, seconds, rows, len(batch))
        loaded.idle.append(gpu)
        answered = [call for call in batch if not call.cancelled]
        for call in answered:
            del self._present[call]
            call.error = None
        if self._out is None:
            self._engine.at(self._engine.now + self._half, _tell, answered)
        else:
            for call in answered:
                through = self._out.sent(call.rows * loaded.model.answer_bytes, self._engine.now)
                self._engine.at(through + self._half, _tell, (call,))
        if loaded.queue:
            self._pump(loaded)

    def _refuse(self, call: Call, error: ServerError) -> None:
        call.error = error
        self._engine.at(self._engine.now + self._half, _tell, (call,))

    def _turn(self, _: None) -> None:
        """Die, or be back."""
        was, self.up = self.up, self.server.up(self._engine.now)
        if self.up or not was:
            return
        self._life += 1
        for loaded in self._models.values():
            loaded.clear()
        for gpu in self._gpus:
            gpu.free_at = 0.0
        lost, self._present = self._present, {}
        for call in lost:
            self._refuse(call, ServerUnavailable("connection lost", server=self.server.name))


def _tell(calls: Sequence[Call]) -> None:
    """Their answers, or failures, have made their way."""
    for call in calls:
        call.ended(call)
