"""Names that stand for several servers: a headless service of Kubernetes, or any name with several addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from eventbraid.inference.servers.security import server_name
from eventbraid.inference.servers.server import Server

__all__ = ["Resolver", "addresses_of", "members", "resolved"]

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses "host:port"; raises OSError where the name has none."""


def members(server: Server, addresses: Iterable[str]) -> tuple[Server, ...]:
    """The servers at these addresses, as `server` is, in a fixed order; certificates are checked for its name."""
    tls = server.security
    if tls is not None:
        tls = replace(tls, name=server_name(server))
    return tuple(
        replace(server, address=address, name=f"{server.name} at {address}", tls=tls, replicas=False)
        for address in sorted(set(addresses))
    )


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a name, all of the family that the system prefers: a replica may have one of each."""
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    family = found[0][0]
    hosts = [str(each[4][0]) for each in found if each[0] == family]
    return [f"[{each}]:{port}" if family == socket.AF_INET6 else f"{each}:{port}" for each in hosts]


async def resolved(servers: Iterable[Server], addresses: Resolver = addresses_of) -> tuple[Server, ...]:
    """The same with replicas in place of their names.

    A name that does not resolve stands for itself: as a server that is away, and is looked for again.
    """

    async def one(server: Server) -> tuple[Server, ...]:
        if not server.replicas:
            return (server,)
        host, _, port = server.address.rpartition(":")
        try:
            return members(server, await addresses(host, int(port)))
        except OSError:
            return (replace(server, replicas=False),)

    return tuple(each for found in await asyncio.gather(*map(one, servers)) for each in found)
