"""Who serves a model: every server is asked once what it has, and again when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from eventbraid.errors import (
    AccessError,
    RequestError,
    ServerBusy,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
    nearest,
)
from eventbraid.inference.pool.pool import Pool, Serving
from eventbraid.serving.repository.building import builder_hint

__all__ = ["Discovery", "has", "unknown"]

WAIT: Final = (ServerUnavailable, ServerBusy, ServerTimeout)
"""Errors after which a server may still turn out to have a model."""
LOOK_SECONDS: Final = 2.0
"""For which one server may keep the others waiting at the start."""


class Discovery:
    """Finds the servers of models; `say` is told of those that are away at the start.

    Who is `patient` waits until the deadline for servers that are away, if no other has the model.
    """

    def __init__(self, pool: Pool, say: Callable[[str], None], *, patient: bool = True) -> None:
        self._pool = pool
        self._say = say
        self._patient = patient
        self._turn = asyncio.Lock()
        self._looked = False

    async def find(self, model: str, version: str, deadline: float) -> Serving:
        """The servers that have the model; raises `RequestError` if none has, `ServerUnavailable` if none answers."""
        async with self._within(self._turn, model, deadline):
            await self._look(deadline)
        key = (model, version)
        serving = self._pool.models.get(key)
        if serving is None:
            serving = self._pool.models[key] = Serving(model)
        serving.finders += 1
        try:
            async with self._within(serving.turn, model, deadline):
                if not serving.asked:
                    await self._describe(serving, key, deadline)
            await self._wait(serving, model, version, deadline)
        finally:
            serving.finders -= 1
            if not (serving.served or serving.finders):
                del self._pool.models[key]
        return serving

    @asynccontextmanager
    async def _within(self, lock: asyncio.Lock, model: str, deadline: float) -> AsyncGenerator[None]:
        """One at a time; `ServerTimeout` for those whose deadline is over before the others are ready."""
        try:
            async with asyncio.timeout(deadline - monotonic()):
                await lock.acquire()
        except TimeoutError:
            names = ", ".join(each.name for each in self._pool.endpoints)
            raise ServerTimeout("no answer before the deadline", server=names, model=model) from None
        try:
            yield
        finally:
            lock.release()

    async def _look(self, deadline: float) -> None:
        if self._looked:
            return
        endpoints = self._pool.endpoints
        until = _first_answer(deadline)
        found = await asyncio.gather(*(each.look(until) for each in endpoints), return_exceptions=True)
        for endpoint, error in zip(endpoints, found, strict=True):
            if isinstance(error, AccessError) or (error is not None and not isinstance(error, ServerError)):
                raise error
            if isinstance(error, ServerError):
                self._say(f"warning: server {endpoint.name} is away: {error.args[0]}")
        self._looked = True

    async def _describe(self, serving: Serving, key: tuple[str, str], deadline: float) -> None:
        asked = [each for each in self._pool.endpoints if each.health.ready and has(each.offers, *key)]
        until = _first_answer(deadline)
        found = await asyncio.gather(*(each.describe(*key, until) for each in asked), return_exceptions=True)
        errors = [each for each in found if isinstance(each, BaseException)]
        serving.add(each for each in found if not isinstance(each, BaseException))
        for error in errors:
            if not isinstance(error, ServerError):
                raise error
        refused = [each for each in errors if not isinstance(each, (RequestError, *WAIT))]
        if refused and not serving.served:
            raise refused[0]
        serving.asked = True

    async def _wait(self, serving: Serving, model: str, version: str, deadline: float) -> None:
        """Wait for servers that are away or do not say whether they have the model, if no other has it."""
        while not serving.served:
            asked = (each.doubt(model, version) for each in self._pool.endpoints)
            doubts = [each for each in asked if each is not None]
            if not (doubts and self._patient and self._pool.open and monotonic() < deadline):
                raise self._nobody(model, version, doubts)
            serving.changed.clear()
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await serving.changed.wait()
            except TimeoutError:
                continue

    def _nobody(self, model: str, version: str, doubts: Sequence[ServerError]) -> ServerError:
        endpoints, away = self._pool.endpoints, {each.server: str(each.args[0]) for each in doubts}
        if len(away) < len(endpoints):
            offers = {each.name: each.offers for each in endpoints if each.name not in away}
            return unknown(model, version, offers, away, builder_hint(model))
        if len(doubts) == 1:
            return doubts[0]
        reasons = "; ".join(f"{server}: {reason}" for server, reason in away.items())
        return ServerUnavailable(f"no server answers: {reasons}", model=model)


def has(offers: Sequence[tuple[str, str]] | None, model: str, version: str) -> bool:
    """Whether a server that offers these may have the model; one of which nothing is known may."""
    return offers is None or any(name == model and version in ("", number) for name, number in offers)


def unknown(
    model: str,
    version: str,
    offers: Mapping[str, Sequence[tuple[str, str]] | None],
    away: Mapping[str, str],
    build: str = "",
) -> RequestError:
    """The error of a model that nobody serves: what each server has, if it says that, who is away, how to build it."""
    everything = [each for offered in offers.values() for each in offered or ()]
    versions = sorted({number for name, number in everything if name == model})
    if version and versions:
        what, hint = f"there is no version {version}", f"there is version {', '.join(versions)}"
    else:
        what = f"there is no model {model!r}"
        hint = build or nearest(model, (name for name, _ in everything))
    if len(offers) == 1 and not away:
        ((server, offered),) = offers.items()
        hint = hint or ("it serves no model" if offered is not None else "")
        return RequestError(f"{what}{f' ({hint})' if hint else ''}", server=server, model=model)
    each = [f"{name} {_models(offered)}" for name, offered in offers.items()]
    each += [f"{name} is away: {reason}" for name, reason in away.items()]
    return RequestError(f"{what}{f' ({hint})' if hint else ''}; {'; '.join(each)}", model=model)


def _models(offered: Sequence[tuple[str, str]] | None) -> str:
    if offered is None:
        return "does not say what it has"
    return f"has {', '.join(sorted({model for model, _ in offered})) or 'none'}"


def _first_answer(deadline: float) -> float:
    """Until when the first answer of a server is waited for, which may keep the others waiting."""
    now = monotonic()
    left = deadline - now
    return now + min(max(LOOK_SECONDS, left / 4), left / 2)
