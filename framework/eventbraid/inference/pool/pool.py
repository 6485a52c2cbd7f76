"""The servers of a client: which of them may take a request now, and who waits until one may."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from eventbraid.errors import ServerBusy, ServerUnavailable
from eventbraid.inference.account import Statistics
from eventbraid.inference.pool.choice import choose
from eventbraid.inference.pool.endpoint import Connect, Endpoint
from eventbraid.inference.pool.health import FROZEN_AFTER
from eventbraid.inference.pool.served import Served
from eventbraid.inference.pool.watched import WatchedEndpoint
from eventbraid.kserve import ModelMetadata

if TYPE_CHECKING:
    from eventbraid.inference.servers.given import Server

__all__ = ["Pool", "Serving", "Wish"]

NO_PRIORITY: Final = 1 << 32
REPORT_SECONDS: Final = 1.0
"""For which a server may keep the report waiting."""


@dataclass(slots=True)
class Wish:
    """What a request asks of its server."""

    nbytes: int
    deadline: float
    preferred: str = ""
    priority: int = 0
    avoid: Collection[str] = ()
    """Names of servers that failed it."""
    strictly: bool = False
    """Never one of those: where no other is ready it is over."""
    patient: bool = True
    """Wait for a server to come back where none is ready."""


@dataclass(slots=True, order=True)
class _Waiting:
    priority: int
    number: int
    wish: Wish = field(compare=False)
    served: asyncio.Future[Served] = field(compare=False)


class Serving:
    """The servers that have a model, and the requests that wait for one of them."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.served: list[Served] = []
        self.waiting: list[_Waiting] = []
        """In their order."""
        self.changed = asyncio.Event()
        """Set when a server has gone or come back."""
        self.turn = asyncio.Lock()
        self.asked = False
        """All servers that are there were asked for it."""
        self.finders = 0
        """Requests that ask for it, or wait for a server that has it."""

    def add(self, served: Iterable[Served]) -> None:
        """It is there too."""
        self.served += [each for each in served if each not in self.served]

    def metadata(self) -> tuple[ModelMetadata, str]:
        """What the model takes and gives, and the name of the server that says so: one that is ready, if there is."""
        first = next(iter(self.ready()), self.served[0])
        return first.metadata, first.name

    def ready(self, wish: Wish | None = None) -> list[Served]:
        """Those that may be asked, or that a request with that wish may ask."""
        avoid = wish.avoid if wish is not None and wish.strictly else ()
        return [each for each in self.served if each.ready and each.endpoint.health.ready and each.name not in avoid]

    def others(self, avoid: Collection[str]) -> bool:
        """True where one may be asked that is not to be avoided."""
        return any(each.name not in avoid for each in self.ready())

    def __repr__(self) -> str:
        return f"Serving({self.model!r}, {self.served}, {len(self.waiting)} waiting)"


class Pool:
    """The servers of a client, on one event loop."""

    def __init__(
        self, servers: Sequence[Server], connect: Connect, draw: Callable[[int], int] = random.randrange
    ) -> None:
        self.models: dict[tuple[str, str], Serving] = {}
        self.endpoints = [WatchedEndpoint(server, connect, self.models.keys(), self._changed) for server in servers]
        self.on_room: list[Callable[[], None]] = []
        """Called when a server has become able to take a request."""
        self._draw = draw
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self.open = True
        """It takes requests."""
        self._looking: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"Pool({self.endpoints})"

    async def take(self, serving: Serving, wish: Wish) -> Served:
        """A server with room for the request, which must be given back; waits for one until the deadline."""
        if not self._anybody_waits() and (served := self._pick(serving, wish)):
            return served
        self._number += 1
        priority = wish.priority or NO_PRIORITY
        waiting = _Waiting(priority, self._number, wish, asyncio.get_running_loop().create_future())
        insort(serving.waiting, waiting)
        self._serve_waiting()
        try:
            async with asyncio.timeout(max(wish.deadline - monotonic(), 0)):
                return await waiting.served
        except BaseException as error:
            waiting.served.cancel()
            if waiting.served.cancelled():
                del serving.waiting[bisect_left(serving.waiting, waiting)]
                self._serve_waiting()
            elif waiting.served.exception() is None:
                self.give(waiting.served.result(), wish.nbytes, 0.0, error)
            if not isinstance(error, TimeoutError):
                raise
            if not serving.ready():
                raise self._nobody(serving) from None
            what = "no server had room for the request before its deadline"
            raise ServerBusy(what, server=self._names(serving), model=serving.model) from None

    def give(self, served: Served, nbytes: int, seconds: float, error: BaseException | None = None) -> None:
        """A request was answered after so many seconds, or ended with that error: others may take its place."""
        served.endpoint.give(nbytes, seconds, error)
        self._serve_waiting()

    def room(self, serving: Serving) -> bool:
        """True where a request would not wait."""
        return not serving.waiting and any(each.endpoint.free(1) for each in serving.ready())

    def close(self) -> None:
        """Take no request from here on; those that wait end as unavailable."""
        self.open = False
        for endpoint in self.endpoints:
            endpoint.close()
        self._changed()

    def _anybody_waits(self) -> bool:
        return any(serving.waiting for serving in self.models.values())

    def _pick(self, serving: Serving, wish: Wish, held: Collection[Endpoint] = ()) -> Served | None:
        ready = serving.ready(wish)
        free = [each for each in ready if each.endpoint not in held and each.endpoint.free(wish.nbytes)]
        served = choose(free, self._draw, preferred=wish.preferred, avoid=wish.avoid)
        if served is not None:
            served.take(wish.nbytes)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(FROZEN_AFTER / 2, self._look)
        return served

    def _serve_waiting(self) -> None:
        """Hand out what is free, the model whose request waits longest first; what one waits for no later one gets."""
        held: set[Endpoint] = set()
        for serving in sorted(
            (each for each in self.models.values() if each.waiting), key=lambda each: each.waiting[0]
        ):
            for waiting in tuple(serving.waiting):
                if waiting.served.done():  # cancelled, and about to leave
                    continue
                wish = waiting.wish
                ready = serving.ready(wish)
                if not ready and (not self.open or wish.strictly or not wish.patient):
                    waiting.served.set_exception(self._nobody(serving))
                elif served := self._pick(serving, wish, held):
                    waiting.served.set_result(served)
                else:
                    held.update(each.endpoint for each in ready)
                    if wish.strictly:
                        continue
                    break
                serving.waiting.remove(waiting)
        for call in self.on_room:
            call()

    def _changed(self) -> None:
        """A server went, or came back, perhaps with models that it had not."""
        for key, serving in self.models.items():
            serving.add(endpoint.models[key] for endpoint in self.endpoints if key in endpoint.models)
            serving.changed.set()
        self._serve_waiting()

    def _nobody(self, serving: Serving) -> ServerUnavailable:
        reasons = [each.endpoint.health.reason or "away" for each in serving.served]
        if len(reasons) == 1:
            return ServerUnavailable(reasons[0], server=self._names(serving), model=serving.model)
        away = "; ".join(f"{each.name}: {reason}" for each, reason in zip(serving.served, reasons, strict=True))
        return ServerUnavailable(f"no server is ready: {away}", model=serving.model)

    def _names(self, serving: Serving) -> str:
        return ", ".join(each.name for each in serving.served)

    def _look(self) -> None:
        """Ask those that owe answers and are silent whether they live."""
        self._timer = None
        now = monotonic()
        owing = [each for each in self.endpoints if each.outstanding]
        if owing:
            self._timer = asyncio.get_running_loop().call_later(FROZEN_AFTER / 2, self._look)
        for endpoint in owing:
            if self._another(endpoint) and endpoint.health.silent(now, endpoint.outstanding):
                endpoint.health.heard = now + FROZEN_AFTER  # one question at a time
                task = asyncio.get_running_loop().create_task(self._revive(endpoint), name=f"asking {endpoint.name}")
                self._looking.add(task)
                task.add_done_callback(self._looking.discard)

    def _another(self, endpoint: WatchedEndpoint) -> bool:
        """True where a server is ready that has one of its models too."""
        ready = (each for each in self.endpoints if each is not endpoint and each.health.ready)
        return any(not endpoint.models.keys().isdisjoint(each.models) for each in ready)

    async def _revive(self, endpoint: Endpoint) -> None:
        if not await endpoint.lives() and endpoint.health.ready:
            await endpoint.renew("does not answer: it may be frozen")

    async def report(self, seconds: float) -> dict[str, Any]:
        """What was asked of each model and server in that time, with what the servers say of it."""
        served = [each for endpoint in self.endpoints for each in endpoint.models.values() if each.account.tries]
        found = await asyncio.gather(*(_statistics(each) for each in served))
        return {
            "models": [
                {"model": each.key[0], "version": each.key[1], "server": each.name}
                | each.account.to_dict(seconds, statistics)
                for each, statistics in zip(served, found, strict=True)
            ],
            "servers": [endpoint.to_dict() for endpoint in self.endpoints],
        }

    async def aclose(self) -> None:
        """Close the connections; requests in flight end as unavailable."""
        self.close()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(endpoint.aclose() for endpoint in self.endpoints))
        if self._looking:  # their calls have failed with the connections
            await asyncio.wait(self._looking)


async def _statistics(served: Served) -> Statistics | None:
    """What a server says of a model since the start; None where it is away, or says nothing."""
    if served.before is None or not served.endpoint.health.ready:
        return None
    now = await served.endpoint.statistics(served.key, monotonic() + REPORT_SECONDS)
    return now.since(served.before) if now is not None else None
