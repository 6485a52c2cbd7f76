"""One server while a job runs: the connection to it, what it serves, what it owes, whether it is there."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from eventbraid.address import is_here
from eventbraid.errors import (
    AccessError,
    AnswerError,
    RequestError,
    ServerBusy,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
)
from eventbraid.inference.account import Statistics
from eventbraid.inference.pool.health import Health, probe_pause
from eventbraid.inference.pool.limits import AdaptiveLimit, Slots
from eventbraid.inference.pool.served import Served
from eventbraid.inference.retry import server_error
from eventbraid.inference.transport.base import Transport, TransportError
from eventbraid.kserve import ModelMetadata
from eventbraid.kserve.wire import metadata_from, protocol
from eventbraid.whereabouts import waiting_on

if TYPE_CHECKING:
    from eventbraid.inference.servers.given import Server

__all__ = ["Connect", "Endpoint"]

Connect = Callable[["Server"], Transport]

PROBE_SECONDS: Final = 1.0
"""For which a server may be silent when it is asked whether it lives."""
START: Final = 64
"""Requests that a server is given at once at first."""
MOST_BYTES: Final = 256 << 20
"""Bytes of tensors on their way to one server at most, where the user sets no bound."""


class Endpoint:
    """The connection to one server; `changed` is called when it goes or comes back."""

    def __init__(
        self,
        server: Server,
        connect: Connect,
        wanted: Collection[tuple[str, str]],
        changed: Callable[[], None],
    ) -> None:
        self.server = server
        self.name = server.name
        said = server.shared_memory
        self.local = is_here(server.address) if said is None else said
        """True where it may see this host's shared memory."""
        self.health = Health()
        self.outstanding = 0
        self.limit = AdaptiveLimit(START) if server.max_requests is None else None
        """Finds how many requests at once are enough, where the user sets no bound."""
        self.slots = Slots(server.max_requests or START, server.max_bytes or MOST_BYTES)
        self.incarnation = 0
        """Grows whenever the server was away: what was registered with it is gone."""
        self.offers: list[tuple[str, str]] | None = None
        """The models and versions that it has; None where that is not known."""
        self.models: dict[tuple[str, str], Served] = {}
        """What it serves of the models that are wanted."""
        self._wanted = wanted
        self._unsure: dict[tuple[str, str], ServerError | None] = {}
        """Models of which it has not said whether it has them, with what it said instead."""
        self._connect = connect
        self._transport = connect(server)
        self._changed = changed
        self._watch: asyncio.Task[None] | None = None
        self._closed = False
        self._pb: Any = protocol()

    def __repr__(self) -> str:
        return f"Endpoint({self.name}, {self.outstanding} outstanding{'' if self.health.ready else ', away'})"

    def free(self, nbytes: int) -> bool:
        """True where it has room for a request of that size."""
        return self.slots.free(nbytes)

    def take(self, nbytes: int, now: float) -> None:
        """A request of that size is on its way."""
        if not self.outstanding:
            self.health.heard = now
        self.outstanding += 1
        self.slots.take(nbytes)
        if self.limit is not None:
            self.limit.sent(now)
            self.slots.most_requests = self.limit.limit

    def give(self, nbytes: int, seconds: float, error: BaseException | None = None) -> None:
        """It was answered after so many seconds, or ended with that error."""
        self.outstanding -= 1
        self.slots.give(nbytes)
        if self.limit is None:
            return
        if isinstance(error, ServerBusy):
            self.limit.busy(monotonic(), seconds)
        else:
            self.limit.ended(monotonic(), seconds, error is None)
        self.slots.most_requests = self.limit.limit

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        deadline: float,
        model: str = "",
        compression: str = "",
    ) -> bytes:
        """The answer's bytes; raises the `ServerError` of a failure, and sets the server aside if it is away."""
        try:
            with waiting_on(self.name):
                answer = await self._transport.call(
                    method, parts, timeout=max(deadline - monotonic(), 0.0), compression=compression
                )
        except TransportError as failed:
            error = server_error(failed, self.name, model)
            if isinstance(error, ServerUnavailable):
                self.set_aside(str(error.args[0]))
            try:
                raise error from failed
            finally:
                del error  # whose cause holds this very frame, and the tensors
        self.health.heard = monotonic()
        return answer

    async def ask(self, method: str, request: Any, answer: Any, deadline: float, model: str = "") -> Any:
        """The same with messages: the request and the kind of the answer."""
        data = await self.call(method, [request.SerializeToString()], deadline, model)
        try:
            return answer.FromString(data)
        except Exception as error:
            what = f"the answer to {method} cannot be read: {type(error).__name__}: {error}"
            raise AnswerError(what, server=self.name, model=model) from error

    async def describe(self, model: str, version: str, deadline: float) -> Served:
        """Ask for a model's metadata and configuration; it is served here from now on."""
        key = (model, version)
        self._unsure.setdefault(key, None)
        try:
            made = await self._metadata(model, version, deadline)
        except (RequestError, AccessError):
            self._unsure.pop(key, None)
            raise
        except ServerError as error:
            self._unsure[key] = copy.copy(error)  # without what it holds
            self._look_again()
            raise
        served = self.models.get(key)
        if served is None:
            served = self.models[key] = Served(self, key, made)
            served.before = await self.statistics(key, deadline)
        served.describe(made)
        self._unsure.pop(key, None)
        return served

    def doubt(self, model: str, version: str) -> ServerError | None:
        """Why nobody knows whether it has the model; None where that is known."""
        if not self.health.ready:
            return ServerUnavailable(self.health.reason, server=self.name, model=model)
        return self._unsure.get((model, version))

    async def _metadata(self, model: str, version: str, deadline: float) -> ModelMetadata:
        pb = self._pb
        request = pb.ModelMetadataRequest(name=model, version=version)
        metadata = await self.ask("ModelMetadata", request, pb.ModelMetadataResponse, deadline, model)
        request = pb.ModelConfigRequest(name=model, version=version)
        try:
            config = (await self.ask("ModelConfig", request, pb.ModelConfigResponse, deadline, model)).config
        except RequestError:  # not every server of the protocol has it
            config = None
        return metadata_from(metadata, config)

    async def statistics(self, key: tuple[str, str], deadline: float) -> Statistics | None:
        """What it says of a model; None where it does not."""
        request = self._pb.ModelStatisticsRequest(name=key[0], version=key[1])
        try:
            answer = await self.ask("ModelStatistics", request, self._pb.ModelStatisticsResponse, deadline, key[0])
        except ServerError:
            return None
        return Statistics.of(answer)

    async def look(self, deadline: float) -> None:
        """Ask what it has; one that is too busy to say, or cannot, may have everything."""
        request = self._pb.RepositoryIndexRequest(ready=True)
        try:
            answer = await self.ask("RepositoryIndex", request, self._pb.RepositoryIndexResponse, deadline)
        except ServerTimeout:
            self.set_aside("does not answer")
            raise
        except (ServerUnavailable, AccessError):
            raise
        except ServerError:
            self.offers = None
        else:
            self.offers = [(each.name, each.version) for each in answer.models]

    def set_aside(self, reason: str) -> None:
        """Ask nothing of it until it is seen to be back."""
        if self._closed:
            return
        if self.health.lost(reason, monotonic()):
            self.incarnation += 1
            self._changed()
        self._look_again()

    def _look_again(self) -> None:
        if not self._closed and (self._watch is None or self._watch.done()):
            self._watch = asyncio.get_running_loop().create_task(self._wait_for_it(), name=f"probing {self.name}")

    async def _wait_for_it(self) -> None:
        looks = 0
        while not self.health.ready or self._unsettled():
            await asyncio.sleep(probe_pause(looks, random.random()))
            looks += 1
            if await self._is_ready() and await self._look_at_models():
                self.health.found(monotonic())
                self._changed()

    def _unsettled(self) -> list[tuple[str, str]]:
        """Those of the models that are wanted of which it has to say whether it has them: all where it was away."""
        lost = {key for key, served in self.models.items() if not served.ready}
        return [key for key in self._wanted if not self.health.ready or key in self._unsure or key in lost]

    async def _is_ready(self) -> bool:
        pb, deadline = self._pb, monotonic() + PROBE_SECONDS
        try:
            answer = await self.ask("ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse, deadline)
            if answer.ready and not self.health.ready:
                await self.look(deadline)
        except ServerError as error:
            self.health.reason = str(error.args[0])
            return False
        return bool(answer.ready)

    async def _look_at_models(self) -> bool:
        """See what it has of them; False where it is away again, or where it had some and none is left."""
        seen = set[tuple[str, str]]()
        while more := [key for key in self._unsettled() if key not in seen]:  # more may be wanted meanwhile
            seen.update(more)
            asking = [self.describe(*key, monotonic() + PROBE_SECONDS) for key in more]
            for key, said in zip(more, await asyncio.gather(*asking, return_exceptions=True), strict=True):
                if isinstance(said, ServerUnavailable):
                    return False
                if isinstance(said, BaseException) and not isinstance(said, ServerError):
                    raise said
                if isinstance(said, ServerError) and key in self.models:
                    self.models[key].ready = False
                    self.health.reason = str(said.args[0])
        return not self.models or any(served.ready for served in self.models.values())

    async def lives(self) -> bool:
        """Whether it answers at all within `PROBE_SECONDS`."""
        pb = self._pb
        try:
            await self.ask("ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse, monotonic() + PROBE_SECONDS)
        except ServerError:
            return False
        return True

    async def renew(self, reason: str) -> None:
        """Give the connection up, and with it all calls under way: they fail as unavailable."""
        old, self._transport = self._transport, self._connect(self.server)
        self.set_aside(reason)
        await old.aclose()

    def to_dict(self) -> dict[str, Any]:
        """Its name, address and state, for the report."""
        health = self.health
        return {
            "server": self.name,
            "address": self.server.address,
            "ready": health.ready,
            "reason": health.reason,
            "times_away": health.times_away,
            "limit": self.slots.most_requests,
            "chosen": str(self.limit.chosen) if self.limit is not None and self.limit.chosen is not None else "",
        }

    def close(self) -> None:
        """Ask nothing of it any more, nor look whether it is there."""
        self._closed = True
        self.health.ready, self.health.reason = False, "this client is closed"
        if self._watch is not None:
            self._watch.cancel()

    async def aclose(self) -> None:
        """Give up the connection."""
        self.close()
        if self._watch is not None:
            await asyncio.wait([self._watch])
        await self._transport.aclose()
