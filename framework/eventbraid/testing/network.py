"""A bad network before any server: it delays, throttles, holds, cuts, refuses, garbles and starts slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Self

from eventbraid.address import check_address
from eventbraid.errors import ConfigurationError
from eventbraid.testing.garbling import Garbler

__all__ = ["FaultyNetwork"]

CHUNK: Final = 16_384
QUEUED: Final = 16
"""Chunks under way in one direction of a connection."""


class FaultyNetwork:
    """Stands before a server at an `address` of its own: `async with FaultyNetwork("127.0.0.1:8001") as network`.

    What it does to the bytes can be changed at any time: `delay` is from and to how many seconds every chunk of at
    most 16 kB is late, drawn anew for each; `rate` is the bytes a second of a connection in each direction, 0 for no
    bound; `garbled` is the share of bytes that are changed; `silent` is for how many seconds a new connection is taken
    and nothing said. With the same `seed` the n-th connection draws the same. It carries TLS as any other bytes. It is
    slower than no network: where a client must have no reason to prefer another server, that needs one too.
    """

    def __init__(
        self,
        target: str,
        *,
        port: int = 0,
        seed: int = 1,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._host, _, there = check_address(target).rpartition(":")
        self._host, self._there = self._host.strip("[]"), int(there)
        self._port, self._seed, self._sleep = port, seed, sleep
        self.delay = (0.0, 0.0)
        self.rate = 0
        self.garbled = 0.0
        self.silent = 0.0
        self.carried = 0
        """Bytes so far."""
        self.accepted = 0
        """Connections so far."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def address(self) -> str:
        """Where a client finds it; the port is chosen when it first accepts connections, and kept."""
        return f"127.0.0.1:{self._port}"

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
        """Take connections; raises `ConfigurationError` where the port is taken."""
        if self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        except OSError as error:
            what = f"port {self._port} cannot be used: {error.strerror}"
            raise ConfigurationError(what, "the faulty network") from error
        self._port = self._server.sockets[0].getsockname()[1]

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
        self.accepted += 1
        way = f"{self._seed} {self.accepted}"
        try:
            if self.silent:
                await self._sleep(self.silent)
            there, here = await asyncio.open_connection(self._host, self._there)
            writers.append(here)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, here, f"{way} there"))
                group.create_task(self._pump(there, writer, f"{way} back"))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # a side that goes takes the other along
        finally:
            for each in writers:
                each.transport.abort()
            del self._connections[task]

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(reader, queue, Random(f"{way} delay")))
            group.create_task(self._write(queue, writer, Garbler(Random(f"{way} garble"))))

    async def _read(
        self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]], random: Random
    ) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(CHUNK):
            await queue.put((loop.time() + random.uniform(*self.delay), data))
        raise ConnectionResetError("the other side is gone")

    async def _write(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, garbler: Garbler
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            if (left := due - loop.time()) > 0:
                await self._sleep(left)
            await self._flowing.wait()
            if self.rate:
                await self._sleep(len(data) / self.rate)
            writer.write(garbler.pass_on(data, self.garbled))
            self.carried += len(data)
            await writer.drain()
