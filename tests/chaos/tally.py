"""What a client does at its connections: how often it asks, and when a server answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from eventbraid.inference.pool.endpoint import Connect

ANY = ""
"""Instead of a model: whichever comes first."""


class Tally:
    """Counts the inference requests that go through the connections that it opens."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.tries = 0
        self._waiting: list[tuple[str, str, float, asyncio.Future[float]]] = []

    def connect(self, server: Any) -> Any:
        """A connection to a server, as the client wants it."""
        return _Counted(self._connect(server), server.address, self)

    async def next_answers(self, address: str, models: Sequence[str], since: float) -> float:
        """The time at which a server has answered for each of these models to a request that was sent after `since`."""
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[float]] = [loop.create_future() for _ in models]
        self._waiting += [(address, model, since, answer) for model, answer in zip(models, answers, strict=True)]
        return max(await asyncio.gather(*answers))

    def took(self, address: str, model: str, sent: float, now: float) -> None:
        """Take note of an answer."""
        for waiting in list(self._waiting):
            where, what, since, answer = waiting
            if where == address and what in (model, ANY) and sent >= since:
                self._waiting.remove(waiting)
                if not answer.done():
                    answer.set_result(now)


class _Counted:
    def __init__(self, transport: Any, address: str, tally: Tally) -> None:
        self._transport, self._address, self._tally = transport, address, tally

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def call(self, method: str, parts: Sequence[Any], **options: Any) -> Any:
        if method != "ModelInfer":
            return await self._transport.call(method, parts, **options)
        loop, tally = asyncio.get_running_loop(), self._tally
        sent = loop.time()
        tally.tries += 1
        answer = await self._transport.call(method, parts, **options)
        tally.took(self._address, model_of(parts), sent, loop.time())
        return answer


def model_of(parts: Sequence[Any]) -> str:
    """The model that a request in parts is for: its first field."""
    head = bytes(parts[0])
    return head[2 : 2 + head[1]].decode()
