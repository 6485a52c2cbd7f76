"""A simulated job: the events of one client, on one core."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from heapq import heappop, heappush
from typing import TypeAlias

from eventbraid.errors import ServerError
from eventbraid.studies.simulation.call import Call
from eventbraid.studies.simulation.engine import Engine
from eventbraid.studies.simulation.log import Log, Spans
from eventbraid.studies.simulation.pool import Pool
from eventbraid.studies.simulation.study import Ask, Client, Work

__all__ = ["Job"]

_Event: TypeAlias = tuple[int, Generator[float | Ask, None, None]]
"""Its number, and its steps: the seconds that it computes next, or what it asks."""


class Job:
    """One client: the oldest event that is ready has the core; new ones begin while a stream is free."""

    __slots__ = (
        "_begun",
        "_client",
        "_computing",
        "_engine",
        "_factors",
        "_in_flight",
        "_inbox",
        "_log",
        "_number",
        "_over",
        "_pool",
        "_ready",
        "_spans",
    )

    def __init__(
        self,
        engine: Engine,
        client: Client,
        pool: Pool,
        factors: Iterator[float],
        log: Log,
        over: Callable[[Job], None],
    ) -> None:
        self._engine, self._client, self._pool = engine, client, pool
        self._factors, self._log, self._over = factors, log, over
        pool.answered, pool.arrived = self._answered, self._arrived
        self._spans = [log.modules.setdefault(n, Spans()) for n in range(len(client.modules))]
        self._number = log.new_client()
        self._ready: list[_Event] = []
        self._begun = self._in_flight = 0
        self._computing = False
        self._inbox: list[Call] = []

    def __repr__(self) -> str:
        return f"Job({self._begun} of {self._client.events} events begun, {self._in_flight} in flight)"

    def begin(self, _: None = None) -> None:
        """Begin with the first event."""
        self._take_core()

    def _arrived(self, call: Call) -> None:
        """An answer is there; while the core computes, the event loop stands still and does not see it."""
        if self._computing:
            self._inbox.append(call)
        else:
            self._pool.receive(call)

    def _answered(self, call: Call) -> None:
        """A call is over: its event is ready."""
        self._log.calls.add(call.asked, self._engine.now)
        event: _Event = call.asker
        if call.error is not None:
            self._fail(event, call.error)
        else:
            heappush(self._ready, event)
        if not self._computing:
            self._take_core()

    def _fail(self, event: _Event, error: ServerError) -> None:
        _, steps = event
        try:
            steps.throw(error)
        except ServerError:
            self._log.lost += 1
            self._end()

    def _end(self) -> None:
        self._in_flight -= 1
        if self._begun == self._client.events:
            self._log.first_ends = min(self._log.first_ends, self._engine.now)
            if not self._in_flight:
                self._over(self)

    def _take_core(self) -> None:
        """Carry on with the oldest event that is ready, or begin one, until something computes or all wait."""
        self._computing = True
        client, ready = self._client, self._ready
        while True:
            if ready:
                event = heappop(ready)
            elif self._in_flight < client.streams and self._begun < client.events:
                event = self._begun, self._steps()
                self._begun += 1
                self._in_flight += 1
            else:
                break
            step = next(event[1], None)
            if step is None:
                self._end()
            elif isinstance(step, Ask):
                self._pool.ask(step, event)
            else:
                self._engine.at(self._engine.now + step, self._computed, event)
                return
        self._computing = False

    def _computed(self, event: _Event) -> None:
        heappush(self._ready, event)
        if self._inbox:
            arrived, self._inbox = self._inbox, []
            for call in arrived:
                self._pool.receive(call)
        self._take_core()

    def _steps(self) -> Generator[float | Ask, None, None]:
        """The way of one event."""
        engine, factor = self._engine, next(self._factors)
        start = engine.now
        for module, spans in zip(self._client.modules, self._spans, strict=True):
            began = engine.now
            if isinstance(module, Work):
                if module.seconds:
                    yield factor * module.seconds
            else:
                before = factor * module.before
                for _ in range(module.requests):
                    if before:
                        yield before
                    yield module
            spans.add(began, engine.now)
        self._log.events.add(start, engine.now)
        self._log.clients.append(self._number)
