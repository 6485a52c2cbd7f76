"""A server, and a model on it, as one client knows them."""

from __future__ import annotations

from eventbraid.errors import ServerBusy, ServerError
from eventbraid.inference.pool.endpoint import MOST_BYTES, START
from eventbraid.inference.pool.health import Health
from eventbraid.inference.pool.latency import Latency
from eventbraid.inference.pool.limits import AdaptiveLimit, Slots
from eventbraid.studies.simulation.engine import Engine
from eventbraid.studies.simulation.site import Site
from eventbraid.studies.simulation.wires import wires

__all__ = ["Endpoint", "Place"]


class Endpoint:
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


class Place:
    """A model on a server, as the choice sees it."""

    __slots__ = ("_engine", "answer_bytes", "endpoint", "health", "known", "name", "row_bytes", "slots")

    def __init__(self, engine: Engine, endpoint: Endpoint, model: str) -> None:
        self._engine = engine
        self.endpoint, self.name, self.known = endpoint, endpoint.name, Latency()
        self.health, self.slots = endpoint.health, endpoint.slots
        served = endpoint.site.server.models[model]
        self.row_bytes, self.answer_bytes = served.row_bytes, served.answer_bytes

    @property
    def outstanding(self) -> int:
        """Requests that the server has from this client, of all models."""
        return self.endpoint.outstanding

    @property
    def latency(self) -> float:
        """Seconds that an answer would take; 0 where that is not known."""
        return self.known.expected(self._engine.now)
