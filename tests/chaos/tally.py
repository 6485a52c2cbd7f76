"""What a client does at its connections: how often it asks, and when a server answers."""

from __future__ import annotations

import asyncio
from typing import Any

from eventbraid.inference.endpoint import Connect


class Tally:
    """Counts the inference requests that go through the connections that it opens."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.tries = 0
        self._waiting: list[tuple[str, float, asyncio.Future[float]]] = []

    def connect(self, server: Any) -> Any:
        """A connection to a server, as the client wants it."""
        return _Counted(self._connect(server), server.address, self)

    async def next_answer(self, address: str, since: float) -> float:
        """The time of the next answer of a server to a request that was sent after `since`."""
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((address, since, answer))
        return await answer

    def took(self, address: str, sent: float, now: float) -> None:
        for waiting in list(self._waiting):
            where, since, answer = waiting
            if where == address and sent >= since:
                self._waiting.remove(waiting)
                if not answer.done():
                    answer.set_result(now)


class _Counted:
    def __init__(self, transport: Any, address: str, tally: Tally) -> None:
        self._transport, self._address, self._tally = transport, address, tally

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        if method != "ModelInfer":
            return await self._transport.call(method, *arguments, **options)
        loop, tally = asyncio.get_running_loop(), self._tally
        sent = loop.time()
        tally.tries += 1
        answer = await self._transport.call(method, *arguments, **options)
        tally.took(self._address, sent, loop.time())
        return answer
