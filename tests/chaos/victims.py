"""Servers that can be harmed: the real Triton as it is, the embedded one with the same handles."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Protocol, Self

from eventbraid.serving import EmbeddedServer
from eventbraid.serving.triton.server import free_port


class Victim(Protocol):
    """What `TritonServer` offers."""

    address: str

    async def start(self) -> Self: ...
    async def kill(self) -> None: ...
    async def terminate(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class Embedded:
    """An embedded server that keeps its port when it is started again."""

    def __init__(self, repository: Path) -> None:
        self._server = EmbeddedServer([repository], port=free_port())

    @property
    def address(self) -> str:
        return self._server.address

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        if self._server.pid is not None:
            self.thaw()
        await self._server.stop()

    async def start(self) -> Self:
        await self._server.start()
        return self

    async def kill(self) -> None:
        self._signal(signal.SIGKILL)
        await self._server.stop()

    async def terminate(self) -> None:
        await self._server.stop()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._server.pid is not None
        os.kill(self._server.pid, number)
