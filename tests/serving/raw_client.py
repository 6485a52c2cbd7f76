"""A client that speaks HTTP/2 frame by frame, and does only what a test tells it to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self

import hpack

from eventbraid.http2.frames import (
    LARGEST_WINDOW,
    PREFACE,
    Flag,
    Kind,
    Setting,
    frame,
    settings,
    window_update,
)

SERVICE = "/inference.GRPCInferenceService/"
FRAME = 1 << 14


def message(data: bytes) -> bytes:
    """As gRPC sends it."""
    return b"\0" + len(data).to_bytes(4, "big") + data


class RawClient:
    """One connection: `async with RawClient(address) as client`. `window` is how much of each answer it takes."""

    def __init__(self, address: str, window: int = LARGEST_WINDOW) -> None:
        self._host, _, port = address.rpartition(":")
        self._port, self._first_window = int(port), window
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._next = 1
        self._initial = 65535
        self._room: dict[int, int] = defaultdict(lambda: self._initial)
        self._changed = asyncio.Condition()
        self.fields: dict[int, dict[str, str]] = defaultdict(dict)
        self.received: dict[int, int] = defaultdict(int)
        self.gone = False
        self.greeted = False

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(self._host, self._port)
        self.writer.write(PREFACE + settings({Setting.INITIAL_WINDOW_SIZE: self._first_window}))
        self.writer.write(window_update(0, LARGEST_WINDOW - 65535))
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self.writer.transport.abort()

    def call(self, name: str) -> int:
        """Open a stream, and say nothing on it."""
        stream, self._next = self._next, self._next + 2
        fields = [(":method", "POST"), (":scheme", "http"), (":path", SERVICE + name), (":authority", "test")]
        fields += [("te", "trailers"), ("content-type", "application/grpc")]
        self.writer.write(frame(Kind.HEADERS, Flag.END_HEADERS, stream, self._encoder.encode(fields)))
        return stream

    async def send(self, stream: int, data: bytes | memoryview, *, end: bool = False) -> None:
        """Some of its bytes, as the server lets them in; until it has answered."""
        view = memoryview(data)
        while view and not self.answered(stream):
            await self.until(lambda: self.answered(stream) or min(self._room[0], self._room[stream]) > 0)
            size = min(len(view), FRAME, self._room[0], self._room[stream])
            if self.answered(stream):
                return
            self._room[0] -= size
            self._room[stream] -= size
            self.writer.write(frame(Kind.DATA, 0, stream, bytes(view[:size])))
            await self.writer.drain()
            view = view[size:]
        if end:
            self.writer.write(frame(Kind.DATA, Flag.END_STREAM, stream))

    def answered(self, stream: int) -> bool:
        """True where the call has ended."""
        return self.gone or "grpc-status" in self.fields[stream]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that a frame may bring."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _read(self) -> None:
        try:
            while True:
                head = await self.reader.readexactly(9)
                length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
                payload = await self.reader.readexactly(length)
                self._take(kind, flags, int.from_bytes(head[5:], "big"), payload)
                async with self._changed:
                    self._changed.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone = True
            async with self._changed:
                self._changed.notify_all()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == Kind.SETTINGS and not flags & Flag.ACK:
            self.greeted = True
            for place in range(0, len(payload), 6):
                if int.from_bytes(payload[place : place + 2], "big") == Setting.INITIAL_WINDOW_SIZE:
                    self._widen(int.from_bytes(payload[place + 2 : place + 6], "big"))
            self.writer.write(frame(Kind.SETTINGS, Flag.ACK, 0))
        elif kind == Kind.PING and not flags & Flag.ACK:
            self.writer.write(frame(Kind.PING, Flag.ACK, 0, payload))
        elif kind == Kind.WINDOW_UPDATE:
            self._room[stream] += int.from_bytes(payload, "big")
        elif kind == Kind.HEADERS:
            self.fields[stream].update(dict[Any, Any](self._decoder.decode(payload)))
        elif kind == Kind.DATA:
            self.received[stream] += len(payload)
        elif kind == Kind.RST_STREAM:
            self.fields[stream].setdefault("grpc-status", "reset")

    def _widen(self, size: int) -> None:
        for stream in self._room:
            if stream:
                self._room[stream] += size - self._initial
        self._initial = size
