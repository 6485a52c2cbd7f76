"""The real Triton in the foreground: it serves until a signal ends it, or until it ends by itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from eventbraid.errors import ServerError
from eventbraid.serving.triton.server import TritonServer

__all__ = ["attend"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def attend(server: TritonServer, ready: Callable[[], None], tell: Callable[[str], None]) -> int:
    """Start a server, call `ready`, and at SIGINT or SIGTERM stop it; a second signal kills it. Gives the exit code.

    That is 0 where it served and finished its requests, else that of the signal. Raises `ServerError` with its last
    words where it ends by itself. Nothing of it is left.
    """
    loop, told = asyncio.get_running_loop(), asyncio.Queue[signal.Signals]()
    for number in SIGNALS:
        loop.add_signal_handler(number, told.put_nowait, number)
    served = asyncio.Event()
    serving = loop.create_task(_serve(server, ready, served))
    asked = loop.create_task(told.get())
    try:
        await asyncio.wait([serving, asked], return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            await serving
        first = asked.result()
        tell(f"{first.name}: Triton ends once its requests are finished; once more kills it")
        stopping = loop.create_task(_stop(server, serving))
        asked = loop.create_task(told.get())
        await asyncio.wait([stopping, asked], return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            await server.kill()
        await stopping
        return 0 if served.is_set() and not asked.done() else 128 + first
    finally:
        asked.cancel()
        await server.stop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def _serve(server: TritonServer, ready: Callable[[], None], served: asyncio.Event) -> None:
    await server.start()
    ready()
    served.set()
    await server.ended()
    raise ServerError(f"Triton ended by itself\n{server.log}")


async def _stop(server: TritonServer, serving: asyncio.Task[None]) -> None:
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await server.stop()
