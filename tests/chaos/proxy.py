"""A proxy for TCP that is a bad network: it delays, throttles, holds, cuts and refuses.

It is slower than no proxy: where a client must have no reason to prefer the other server, both have one.
"""

from __future__ import annotations

import asyncio
import random
from typing import Self

from eventbraid.serving.triton import free_port

CHUNK = 16_384
QUEUED = 16
"""Chunks under way in one direction of a connection."""


class Proxy:
    """Stands before a server at an address of its own; what it does to the bytes can be changed at any time.

    `delay` is from and to how many seconds every chunk is late, drawn anew for each; `rate` is the bytes a second of
    a connection in each direction, 0 for no bound.
    """

    def __init__(self, target: str, *, seed: int = 1) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._listen = free_port()
        self.address = f"127.0.0.1:{self._listen}"
        self.delay = (0.0, 0.0)
        self.rate = 0
        self.carried = 0
        """Bytes so far."""
        self._random = random.Random(seed)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def accept(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._listen)

    async def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Reset every connection, wherever it is in its bytes."""
        cut = list(self._connections)
        for task in cut:
            for writer in self._connections[task]:
                writer.transport.abort()
            task.cancel()
        if cut:
            await asyncio.wait(cut)

    def hold(self) -> None:
        """Let no byte through, and lose none: new connections are taken and stay silent."""
        self._flowing.clear()

    def release(self) -> None:
        """Let through what was held, in order."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._connections[task] = [writer]
        try:
            there, here = await asyncio.open_connection(self._host, int(self._port))
            writers.append(here)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, here))
                group.create_task(self._pump(there, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # a side that goes takes the other along
        finally:
            for each in writers:
                each.transport.abort()
            del self._connections[task]

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(reader, queue))
            group.create_task(self._write(queue, writer))

    async def _read(self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(CHUNK):
            await queue.put((loop.time() + self._random.uniform(*self.delay), data))
        raise ConnectionResetError("the other side is gone")

    async def _write(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            await self._flowing.wait()
            if self.rate:
                await asyncio.sleep(len(data) / self.rate)
            writer.write(data)
            self.carried += len(data)
            await writer.drain()
