"""Ports of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable, Collection
from typing import Final

from eventbraid.errors import ServerError

__all__ = ["free_port", "in_use", "reached"]

AGAIN_SECONDS: Final = 0.01


def free_port(but: Collection[int] = ()) -> int:
    """A port of 127.0.0.1 on which nobody listens, outside the range from which clients get theirs.

    A server that is away for a while would else find its port taken, in the worst case by a client that tried to
    reach it there and was connected to itself.
    """
    for _ in range(1000):
        port = random.SystemRandom().randrange(20_000, 32_000)
        if port not in but and not in_use(port):
            return port
    raise ServerError("no free port was found from 20000 to 32000")


def in_use(port: int) -> bool:
    """True where a server on 127.0.0.1 cannot have that port."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return False
    return True


async def reached(port: int, alive: Callable[[], bool]) -> None:
    """Wait until somebody listens on a port of 127.0.0.1, for as long as who is to do so is alive."""
    while alive():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(AGAIN_SECONDS)
