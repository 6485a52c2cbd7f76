"""What a client decides: which server gets a request, how many at once, what follows a failure.

The decisions are those of `eventbraid.inference`, called as `Pool` and `TritonClient` call them; here time jumps, and
nothing is sent.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from eventbraid.errors import ServerBusy, ServerError, ServerTimeout, ServerUnavailable
from eventbraid.inference.pool.choice import choose
from eventbraid.inference.pool.endpoint import MOST_BYTES, START
from eventbraid.inference.pool.health import Health, probe_pause
from eventbraid.inference.pool.latency import Latency
from eventbraid.inference.pool.limits import AdaptiveLimit, Slots
from eventbraid.inference.retry import Next, failure, next_step, pause
from eventbraid.studies.simulation.call import Call
from eventbraid.studies.simulation.engine import Engine
from eventbraid.studies.simulation.log import Log
from eventbraid.studies.simulation.site import Site
from eventbraid.studies.simulation.study import Ask, Choice, Client
from eventbraid.studies.simulation.wires import wires

__all__ = ["Pool"]

ROUND_TRIPS: Final = 4
"""Questions to a server that is back before it gets requests: is it ready, what has it, the model's metadata and
configuration."""
NO_TENSORS: Final[dict[str, Any]] = {}


class _Endpoint:
    """A server as one client knows it."""

    __slots__ = ("back", "half", "health", "limit", "name", "out", "outstanding", "site", "slots")

    def __init__(self, site: Site) -> None:
        self.site, self.name = site, site.server.name
        most, network = site.server.max_requests, site.server.network
        self.outstanding = 0
        self.limit = AdaptiveLimit(START) if most is None else None
        self.slots = Slots(most or START, MOST_BYTES)
        self.health = Health()
        self.half = network.latency / 2
        self.out, self.back = wires(network.client)

    def take(self, size: int, now: float) -> None:
        """A request of that size is on its way."""
        self.outstanding += 1
        self.slots.take(size)
        if self.limit is not None:
            self.limit.sent(now)
            self.slots.most_requests = self.limit.limit

    def give(self, size: int, now: float, seconds: float, error: ServerError | None) -> None:
        """It was answered after so many seconds, or ended with that error."""
        self.outstanding -= 1
        self.slots.give(size)
        if self.limit is None:
            return
        if error is None:
            self.limit.ended(now, seconds)
        elif isinstance(error, ServerBusy):
            self.limit.busy(now, seconds)
        else:
            self.limit.ended(now, seconds, ok=False)
        self.slots.most_requests = self.limit.limit


class _Place:
    """A model on a server, as the choice sees it."""

    __slots__ = ("_engine", "answer_bytes", "endpoint", "health", "known", "name", "row_bytes", "slots")

    def __init__(self, engine: Engine, endpoint: _Endpoint, model: str) -> None:
        self._engine = engine
        self.endpoint, self.name, self.known = endpoint, endpoint.name, Latency()
        self.health, self.slots = endpoint.health, endpoint.slots
        served = endpoint.site.server.models[model]
        self.row_bytes, self.answer_bytes = served.row_bytes, served.answer_bytes

    @property
    def outstanding(self) -> int:
        return self.endpoint.outstanding

    @property
    def latency(self) -> float:
        return self.known.expected(self._engine.now)


class Pool:
    """The servers of one client."""

    def __init__(
        self,
        engine: Engine,
        sites: Iterable[Site],
        draw: random.Random,
        log: Log,
        client: Client,
        choice: Choice,
    ) -> None:
        self._engine, self._draw, self._log = engine, draw, log
        self.answered: Callable[[Call], None] = lambda call: None
        """Told of each call that is over, with its error in it."""
        self.arrived: Callable[[Call], None] = self.receive
        """Told of each answer that is there; `receive` takes it when the client has time for it."""
        self._client, self._choice = client, choice
        endpoints = [_Endpoint(site) for site in sites]
        models = dict.fromkeys(model for each in endpoints for model in each.site.server.models)
        self._places = {
            model: [_Place(engine, each, model) for each in endpoints if model in each.site.server.models]
            for model in models
        }
        self._waiting: dict[str, deque[Call]] = {model: deque() for model in models}
        self._asked = self._waits = self._turn = 0
        self._watched: deque[Call] = deque()
        """Calls by their deadlines, which all are the same time away; one that is over leaves before the next comes."""
        self._watching = False

    def ask(self, ask: Ask, asker: object) -> None:
        """Have a request answered, by whichever server it takes."""
        now, watched = self._engine.now, self._watched
        self._asked += 1
        call = Call(
            NO_TENSORS,
            ask.rows,
            since=now,
            model=ask.model,
            number=self._asked,
            asked=now,
            deadline=now + self._client.timeout,
            ended=self._ended,
            asker=asker,
        )
        while watched and watched[0].over:
            watched.popleft()
        watched.append(call)
        if not self._watching:
            self._watching = True
            self._engine.at(call.deadline, self._due, None)
        self._take(call)

    def _due(self, _: None) -> None:
        watched = self._watched
        while watched and (watched[0].over or watched[0].deadline <= self._engine.now):
            call = watched.popleft()
            if not call.over:
                self._expire(call)
        self._watching = bool(watched)
        if watched:
            self._engine.at(watched[0].deadline, self._due, None)

    def _expire(self, call: Call) -> None:
        if call.place is None:
            waiting = self._waiting[call.model]
            if call in waiting:
                waiting.remove(call)
                self._waits -= 1
            call.error = ServerBusy("no server had room for the request before its deadline")
        else:
            call.error = ServerTimeout("no answer before the deadline", server=call.place.name)
            self._engine.at(self._engine.now + call.place.endpoint.half, call.place.endpoint.site.cancel, call)
            self._give(call, call.error)
            self._log.failures[failure(call.error)] += 1
        self._over(call)

    def _over(self, call: Call) -> None:
        call.over = True
        self.answered(call)

    def _take(self, call: Call) -> None:
        if self._waits or not self._send(call):
            self._waiting[call.model].append(call)
            self._waits += 1
            self._serve_waiting()

    def _send(self, call: Call, held: Sequence[_Endpoint] = ()) -> bool:
        """Send it where there is a server that may have it."""
        rows = call.rows
        free = [
            each
            for each in self._places[call.model]
            if each.health.ready and each.slots.free(rows * each.row_bytes) and each.endpoint not in held
        ]
        place = self._choose(free, call) if free else None
        if place is None:
            return False
        now, endpoint, size = self._engine.now, place.endpoint, rows * place.row_bytes
        endpoint.take(size, now)
        place.known.asked(now)
        call.place, call.sent = place, now
        call.tried += 1
        through = now if endpoint.out is None else endpoint.out.sent(size, now)
        self._engine.at(through + endpoint.half, endpoint.site.arrive, call)
        return True

    def _choose(self, free: Sequence[_Place], call: Call) -> _Place | None:
        if self._choice == "client":
            return choose(free, self._draw.randrange, preferred=self._client.preferred, avoid=call.failed)
        good = [each for each in free if each.name not in call.failed] or free
        if self._choice == "random":
            return self._draw.choice(good)
        self._turn += 1
        return good[self._turn % len(good)]

    def _give(self, call: Call, error: ServerError | None) -> None:
        now, place = self._engine.now, call.place
        place.endpoint.give(call.rows * place.row_bytes, now, now - call.sent, error)
        if self._waits:
            self._serve_waiting()

    def _ended(self, call: Call) -> None:
        """The try under way has ended; where nobody waits for it, that is nothing."""
        if call.over:
            return
        place = call.place
        back = place.endpoint.back
        if back is not None and call.error is None:
            self._engine.at(back.sent(call.rows * place.answer_bytes, self._engine.now), self.arrived, call)
        else:
            self.arrived(call)

    def receive(self, call: Call) -> None:
        """Take the answer, or the failure, that has arrived."""
        if call.over:
            return
        if call.error is not None:
            self._failed(call, call.error)
            return
        known = call.place.known
        known.took(self._engine.now - call.sent)
        self._give(call, None)
        known.did_well()
        self._over(call)

    def _failed(self, call: Call, error: ServerError) -> None:
        place = call.place
        if isinstance(error, ServerUnavailable):
            self._set_aside(place.endpoint, str(error))
        self._give(call, error)
        self._log.failures[failure(error)] += 1
        again = place.name in call.failed
        call.failed |= {place.name}
        call.place = None
        others = any(each.health.ready and each.name not in call.failed for each in self._places[call.model])
        left = call.deadline - self._engine.now
        step = next_step(error, tried=call.tried, tries=self._client.tries, left=left, others=others)
        if step is Next.FAIL:
            self._over(call)
        elif step is Next.LATER and (again or not others):
            self._engine.at(self._engine.now + pause(call.tried, self._draw.random()), self._again, call)
        else:
            self._take(call)

    def _again(self, call: Call) -> None:
        if not call.over:
            self._take(call)

    def _serve_waiting(self) -> None:
        """Hand out what is free, the model whose request waits longest first; what one waits for no later one gets."""
        held: list[_Endpoint] = []
        for waiting in sorted(filter(None, self._waiting.values()), key=lambda each: each[0].number):
            while waiting and self._send(waiting[0], held):
                waiting.popleft()
                self._waits -= 1
            if waiting:
                held += [each.endpoint for each in self._places[waiting[0].model] if each.health.ready]

    def _set_aside(self, endpoint: _Endpoint, reason: str) -> None:
        if endpoint.health.lost(reason, self._engine.now):
            self._look_later(endpoint, 0)

    def _look_later(self, endpoint: _Endpoint, looks: int) -> None:
        when = self._engine.now + probe_pause(looks, self._draw.random())
        self._engine.at(when, self._look, (endpoint, looks + 1))

    def _look(self, looked: tuple[_Endpoint, int]) -> None:
        endpoint, looks = looked
        latency = endpoint.site.server.network.latency
        if endpoint.site.server.up(self._engine.now + latency / 2):
            self._engine.at(self._engine.now + ROUND_TRIPS * latency, self._found, endpoint)
        else:
            self._engine.at(self._engine.now + latency, lambda _: self._look_later(endpoint, looks), None)

    def _found(self, endpoint: _Endpoint) -> None:
        endpoint.health.found(self._engine.now)
        for places in self._places.values():
            for each in places:
                if each.endpoint is endpoint:
                    each.known.forget()
        self._serve_waiting()
