"""Which regions which server was told of, and whether it can use them at all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, TypeAlias

from eventbraid.errors import ServerError
from eventbraid.inference.memory.pool import Pool
from eventbraid.inference.memory.regions import Region, is_ours
from eventbraid.inference.transport.base import TransportError
from eventbraid.kserve.shared import FOLDER, register_request
from eventbraid.kserve.wire import protocol

__all__ = ["Call", "Registrations", "status_of"]

EXTENSION: Final = "system_shared_memory"
SAFE: Final = {"triton": (2, 50), "eventbraid": (0, 0)}
"""From which version on a server unmaps no region that a request still uses; before, it would crash."""
STRIKES: Final = 3
"""How often in a row a server may have forgotten a region before it is believed that it always does."""
PAUSE: Final = 0.5
"""Seconds before a server is asked again to let go of what it still uses."""
LAST_SECONDS: Final = 1.0
"""For which a server may be silent, or still use a region, when the job is over."""
AGAIN: Final = 0.01
"""Seconds before it is then asked again."""
AWAY: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNAUTHENTICATED", "PERMISSION_DENIED")


Call: TypeAlias = Callable[[str, bytes, float], Awaitable[bytes]]
"""A call to one server: method, message, seconds. It raises `TransportError`, or errors caused by one."""


def status_of(error: BaseException | None) -> tuple[str, str]:
    """The gRPC status and the server's text behind an error; empty where it has none."""
    while error is not None:
        if isinstance(error, TransportError):
            return error.code, error.details
        error = error.__cause__
    return "", ""


class _Server:
    """What is known of a server since it was last seen to come."""

    def __init__(self, name: str, incarnation: int, call: Call) -> None:
        self.name = name
        self.incarnation = incarnation
        self.call = call
        self.lock = asyncio.Lock()
        self.regions: set[str] = set()
        self.refused = ""
        """Why it gets nothing through shared memory."""
        self.met = False
        self.safe = False
        """It may be asked to let go of a region at any time."""
        self.strikes = 0
        self.tidied = 0.0


class Registrations:
    """Tells servers of a pool's regions, and to let go of them. For one event loop.

    A region is registered under its own name once with each incarnation of a server. No server is asked to let go of a
    region that a request may be using, unless it is one of those that then wait.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._servers: dict[str, _Server] = {}
        self._doubtful: set[tuple[str, str]] = set()
        """Server and region of requests whose end nobody knows."""

    def refused(self, server: str, incarnation: int) -> str:
        """Why the server gets nothing through shared memory; empty where it does, or where that is not known."""
        known = self._servers.get(server)
        return known.refused if known is not None and known.incarnation == incarnation else ""

    async def ensure(self, server: str, incarnation: int, call: Call, regions: set[Region], timeout: float) -> str:  # noqa: ASYNC109
        """Let the server know the regions; the reason where it cannot use them, else empty.

        Callers at the same time wait for each other. Raises what `call` raises where the server is away.
        """
        known = self._servers.get(server)
        if known is None or known.incarnation != incarnation:
            known = self._servers[server] = _Server(server, incarnation, call)
        if known.refused or all(region.name in known.regions for region in regions):
            return known.refused
        deadline = monotonic() + timeout
        try:
            async with asyncio.timeout(timeout), known.lock:
                for region in regions:
                    if region.name not in known.regions and not known.refused:
                        await self._register(known, region, deadline)
        except TimeoutError:
            raise TransportError("DEADLINE_EXCEEDED", "no region could be registered before the deadline") from None
        return known.refused

    def forgotten(self, server: str) -> None:
        """Note that the server said it does not know a region: it started anew, without being seen to."""
        known = self._servers.get(server)
        if known is None:
            return
        known.regions.clear()
        known.strikes += 1
        if known.strikes >= STRIKES:
            known.refused = "it forgets regions; are there several servers behind its address?"

    def remembered(self, server: str) -> None:
        """Note that a request through shared memory was answered."""
        if (known := self._servers.get(server)) is not None:
            known.strikes = 0

    def doubt(self, server: str, region: str) -> None:
        """Note that a request with that region ended without an answer."""
        self._doubtful.add((server, region))

    async def tidy(self, server: str, timeout: float) -> None:  # noqa: ASYNC109
        """Let the server let go of regions that are gone here; at most twice a second."""
        known = self._servers.get(server)
        if known is None or known.refused or monotonic() < known.tidied + PAUSE or known.lock.locked():
            return
        names = [name for name in self._pool.known_to(server, dropped=True) if self._may_let_go(known, name)]
        if not names:
            return
        known.tidied = monotonic()
        async with known.lock:
            await self._unregister(known, names, monotonic() + timeout)

    async def aclose(self) -> None:
        """Let every server let go of all regions, as far as it can be reached.

        A server may still use a region for a moment after its answer has come, and is then asked again.
        """
        for known in self._servers.values():
            names = [name for name in self._pool.known_to(known.name) if self._may_let_go(known, name)]
            deadline = monotonic() + LAST_SECONDS
            while names and monotonic() < deadline:
                if names := await self._unregister(known, names, deadline):
                    await asyncio.sleep(AGAIN)
        self._servers.clear()

    async def _register(self, known: _Server, region: Region, deadline: float) -> None:
        try:
            if not known.met:
                await self._meet(known, deadline)
            if known.refused:
                return
            self._pool.told(region.name, known.name)
            data = register_request(region.name, region.size)
            await known.call("SystemSharedMemoryRegister", data, deadline - monotonic())
        except (TransportError, ServerError) as error:
            code, details = status_of(error)
            if code in AWAY:
                raise
            if code != "ALREADY_EXISTS":  # names are unique, so it is this very region
                self._pool.let_go(region.name, known.name)
                known.refused = f"it cannot open a region of this host: {details or code}"
                return
        known.regions.add(region.name)
        if len(known.regions) == 1:
            await self._sweep(known, deadline)

    async def _meet(self, known: _Server, deadline: float) -> None:
        """Ask what the server is."""
        pb: Any = protocol()
        data = await known.call("ServerMetadata", b"", deadline - monotonic())
        metadata = pb.ServerMetadataResponse.FromString(data)
        known.met = True
        if EXTENSION not in metadata.extensions:
            known.refused = f"{metadata.name} {metadata.version} has no {EXTENSION}"
        least = SAFE.get(metadata.name)
        known.safe = least is not None and _version(metadata.version) >= least

    def _may_let_go(self, known: _Server, region: str) -> bool:
        return known.safe or (known.name, region) not in self._doubtful

    async def _unregister(self, known: _Server, names: list[str], deadline: float) -> list[str]:
        """Ask the server to let go of regions, and note of which it has; gives those it still uses, if it is there."""
        pb: Any = protocol()
        used: list[str] = []
        for name in names:
            request = pb.SystemSharedMemoryUnregisterRequest(name=name).SerializeToString()
            question = pb.SystemSharedMemoryStatusRequest(name=name).SerializeToString()
            try:
                await known.call("SystemSharedMemoryUnregister", request, deadline - monotonic())
                # It may have agreed and yet wait for the last request with it.
                await known.call("SystemSharedMemoryStatus", question, deadline - monotonic())
                used.append(name)
            except (TransportError, ServerError) as error:
                code, _ = status_of(error)
                if code == "NOT_FOUND":
                    known.regions.discard(name)
                    self._doubtful.discard((known.name, name))
                    self._pool.let_go(name, known.name)
                elif code in AWAY:
                    return []
                else:
                    used.append(name)
        return used

    async def _sweep(self, known: _Server, deadline: float) -> None:
        """Let the server let go of regions whose processes died. It is known by now to see the objects that we see."""
        if not known.safe:
            return
        pb: Any = protocol()
        try:
            data = await known.call("SystemSharedMemoryStatus", b"", deadline - monotonic())
        except (TransportError, ServerError):
            return
        names = pb.SystemSharedMemoryStatusResponse.FromString(data).regions
        left = [name for name in names if is_ours(name) and not (FOLDER / name).exists()]
        await self._unregister(known, left, deadline)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
