"""Sockets: connected to whichever of a host's addresses answers first."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final

from eventbraid.inference.gathering import end

__all__ = ["connected_socket", "reason"]

STAGGER: Final = 0.25
"""Seconds for which an address is waited for alone, before the next is tried beside it (RFC 8305)."""
KEEPALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A connection on which nothing is asked is not forgotten on its way, and is seen to be lost within a minute."""

Address = tuple[int, Any]
"""Its family, and itself as the system takes it."""


async def connected_socket(host: str, port: int) -> socket.socket:
    """A socket with a connection; raises OSError or UnicodeError with all reasons why there is none."""
    addresses = list(await addresses_of(host, port))
    trying, faults = set[asyncio.Task[socket.socket]](), dict[str, None]()
    won: asyncio.Task[socket.socket] | None = None
    try:
        while won is None and (addresses or trying):
            if addresses:
                trying.add(asyncio.create_task(_connect(*addresses.pop(0))))
            patience = STAGGER if addresses else None
            done, _ = await asyncio.wait(trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is None:
                    won = task
                else:
                    faults[reason(error)] = None
                    trying.discard(task)
    finally:
        await end(trying)
        for task in trying:
            if task is not won and not task.cancelled() and task.exception() is None:
                task.result().close()
    if won is None:
        raise OSError(", ".join(faults))
    return won.result()


async def addresses_of(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, in the order in which the system would try them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:  # a name, whose addresses may take their time
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


async def _connect(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # without the last asyncio sends late
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):  # not on every system
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def reason(error: BaseException) -> str:
    """Why there is no connection, in the words of the system where it has some."""
    if isinstance(error, (socket.gaierror, ssl.SSLError)):
        return error.strerror or str(error)
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error)
