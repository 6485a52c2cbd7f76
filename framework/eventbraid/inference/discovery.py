"""Who serves a model: every server is asked once what it has, and again when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from eventbraid.errors import AccessError, RequestError, ServerError, ServerUnavailable, nearest
from eventbraid.inference.endpoint import Endpoint
from eventbraid.inference.pool import Pool, Serving

__all__ = ["Discovery", "has", "unknown"]

LOOK_SECONDS: Final = 2.0
"""For which one server may keep the others waiting at the start."""


class Discovery:
    """Finds the servers of models; `say` is told of those that are away at the start."""

    def __init__(self, pool: Pool, say: Callable[[str], None]) -> None:
        self._pool = pool
        self._say = say
        self._lock = asyncio.Lock()
        self._looked = False

    async def find(self, model: str, version: str, deadline: float) -> Serving:
        """The servers that have the model; raises `RequestError` if none has, `ServerUnavailable` if none answers."""
        async with self._lock:
            known = self._pool.models.get((model, version))
            if known is not None:
                return known
            await self._look(deadline)
            serving = self._pool.models[model, version] = Serving(model)
            try:
                await self._describe(serving, (model, version), deadline)
                await self._wait(serving, model, version, deadline)
            finally:
                if not serving.served:
                    del self._pool.models[model, version]
            return serving

    async def _look(self, deadline: float) -> None:
        if self._looked:
            return
        until = min(deadline, monotonic() + max(LOOK_SECONDS, (deadline - monotonic()) / 4))
        until = min(until, monotonic() + (deadline - monotonic()) / 2)
        endpoints = self._pool.endpoints
        found = await asyncio.gather(*(each.look(until) for each in endpoints), return_exceptions=True)
        for endpoint, error in zip(endpoints, found, strict=True):
            if isinstance(error, AccessError) or (error is not None and not isinstance(error, ServerError)):
                raise error
            if isinstance(error, ServerError):
                self._say(f"warning: server {endpoint.name} is away: {error.args[0]}")
        self._looked = True

    async def _describe(self, serving: Serving, key: tuple[str, str], deadline: float) -> None:
        asked = [each for each in self._pool.endpoints if each.health.ready and has(each.offers, *key)]
        until = monotonic() + (deadline - monotonic()) / 2
        found = await asyncio.gather(*(each.describe(*key, until) for each in asked), return_exceptions=True)
        errors = [each for each in found if isinstance(each, BaseException)]
        serving.served += [each for each in found if not isinstance(each, BaseException)]
        for error in errors:
            if not isinstance(error, ServerError):
                raise error
        refused = [each for each in errors if not isinstance(each, (RequestError, ServerUnavailable))]
        if refused and not serving.served:
            raise refused[0]

    async def _wait(self, serving: Serving, model: str, version: str, deadline: float) -> None:
        """Wait for servers that are away, if no other has the model."""
        while not serving.served:
            away = [each for each in self._pool.endpoints if not each.health.ready]
            if not away or monotonic() >= deadline:
                raise self._nobody(model, version, away)
            serving.changed.clear()
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await serving.changed.wait()
            except TimeoutError:
                continue

    def _nobody(self, model: str, version: str, away: Sequence[Endpoint]) -> ServerError:
        endpoints = self._pool.endpoints
        if len(away) == len(endpoints):
            reasons = "; ".join(f"{each.name}: {each.health.reason}" for each in away)
            if len(away) == 1:
                return ServerUnavailable(away[0].health.reason, server=away[0].name, model=model)
            return ServerUnavailable(f"no server answers: {reasons}", model=model)
        return unknown(
            model,
            version,
            {each.name: each.offers or () for each in endpoints if each.health.ready},
            {each.name: each.health.reason for each in away},
        )


def has(offers: Sequence[tuple[str, str]] | None, model: str, version: str) -> bool:
    """Whether a server that offers these may have the model; one of which nothing is known may."""
    return offers is None or any(name == model and version in ("", number) for name, number in offers)


def unknown(
    model: str, version: str, offers: Mapping[str, Sequence[tuple[str, str]]], away: Mapping[str, str]
) -> RequestError:
    """The error of a model that nobody serves: what each server has, and who is away."""
    everything = [each for offered in offers.values() for each in offered]
    versions = sorted({number for name, number in everything if name == model})
    if version and versions:
        what, hint = f"there is no version {version}", f"there is version {', '.join(versions)}"
    else:
        what, hint = f"there is no model {model!r}", nearest(model, (name for name, _ in everything))
    if len(offers) == 1 and not away:
        (server,) = offers
        return RequestError(f"{what} ({hint or 'it serves no model'})", server=server, model=model)
    each = [f"{name} has {', '.join(sorted({model for model, _ in has})) or 'none'}" for name, has in offers.items()]
    each += [f"{name} is away: {reason}" for name, reason in away.items()]
    return RequestError(f"{what}{f' ({hint})' if hint else ''}; {'; '.join(each)}", model=model)
