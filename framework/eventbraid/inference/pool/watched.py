"""A server with the models that it has: it is asked what it serves, and where it is away, until it is back."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable, Collection
from time import monotonic
from typing import TYPE_CHECKING

from eventbraid.errors import AccessError, RequestError, ServerError, ServerTimeout, ServerUnavailable
from eventbraid.inference.pool.endpoint import PROBE_SECONDS, Connect, Endpoint
from eventbraid.inference.pool.health import probe_pause
from eventbraid.inference.pool.served import Served
from eventbraid.kserve import ModelMetadata
from eventbraid.kserve.wire import metadata_from

if TYPE_CHECKING:
    from eventbraid.inference.servers.given import Server

__all__ = ["WatchedEndpoint"]


class WatchedEndpoint(Endpoint):
    """An endpoint that knows which of the models that are `wanted` its server has."""

    def __init__(
        self,
        server: Server,
        connect: Connect,
        wanted: Collection[tuple[str, str]],
        changed: Callable[[], None],
    ) -> None:
        super().__init__(server, connect, changed)
        self.offers: list[tuple[str, str]] | None = None
        """The models and versions that it has; None where that is not known."""
        self.models: dict[tuple[str, str], Served] = {}
        """What it serves of the models that are wanted."""
        self._wanted = wanted
        self._unsure: dict[tuple[str, str], ServerError | None] = {}
        """Models of which it has not said whether it has them, with what it said instead."""
        self._watch: asyncio.Task[None] | None = None

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

    def set_aside(self, reason: str) -> None:
        """Ask nothing of it until it is seen to be back."""
        super().set_aside(reason)
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

    def close(self) -> None:
        """Ask nothing of it any more, nor look whether it is there."""
        super().close()
        if self._watch is not None:
            self._watch.cancel()

    async def aclose(self) -> None:
        """Give up the connection."""
        self.close()
        if self._watch is not None:
            await asyncio.wait([self._watch])
        await super().aclose()
