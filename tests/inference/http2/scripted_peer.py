"""A server that does with each connection what a test tells it to, frame by frame."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import NamedTuple

import hpack

from eventbraid.http2.frames import (
    PREFACE,
    Code,
    Flag,
    Kind,
    Setting,
    frame,
    settings,
    window_update,
)

OK = ((":status", "200"), ("content-type", "application/grpc"))
DONE = (("grpc-status", "0"),)
Fields = Iterable[tuple[str, str]]


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


class Request(NamedTuple):
    stream: int
    fields: dict[str, str]
    message: bytes


def message(data: bytes, compressed: int = 0) -> bytes:
    """A message as gRPC sends it."""
    return bytes((compressed,)) + len(data).to_bytes(4, "big") + data


class Line:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.settings: dict[int, int] = {}

    async def greet(self, values: dict[int, int] | None = None) -> Line:
        """Take the client's greeting and give ours."""
        await self.greeted()
        self.send(settings(values or {}))
        assert await self.next(Kind.SETTINGS) == Frame(Kind.SETTINGS, Flag.ACK, 0, b"")
        return self

    async def greeted(self) -> None:
        """Take the client's greeting, which is all that it says before ours."""
        assert await self.reader.readexactly(len(PREFACE)) == PREFACE
        assert [(await self.next()).kind for _ in range(2)] == [Kind.SETTINGS, Kind.WINDOW_UPDATE]

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    def close(self) -> None:
        """Close, after what is sent has gone out."""
        self.writer.close()

    async def next(self, *kinds: int) -> Frame:
        """The next frame, of those kinds where some are given."""
        while True:
            head = await self.reader.readexactly(9)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
            if not kinds or head[3] in kinds:
                return Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)

    async def opened(self) -> tuple[int, dict[str, str]]:
        """The stream and the fields of the next call."""
        got = await self.next(Kind.HEADERS)
        block, flags = got.payload, got.flags
        while not flags & Flag.END_HEADERS:
            _, flags, stream, payload = await self.next()
            assert stream == got.stream
            block += payload
        return got.stream, dict(self.decoder.decode(block))

    async def request(self) -> Request:
        """The next call with its message, where nothing else is sent in between."""
        stream, fields = await self.opened()
        return Request(stream, fields, await self.body(stream))

    async def body(self, stream: int) -> bytes:
        """The message of a call; DATA of others is skipped."""
        data = b""
        while True:
            got = await self.next(Kind.DATA)
            if got.stream == stream:
                data += got.payload
                if got.flags & Flag.END_STREAM:
                    assert data[:5] == message(data[5:])[:5]
                    return data[5:]

    async def rest(self, stream: int) -> None:
        """Take the DATA of a call until it ends."""
        while (got := await self.next(Kind.DATA)).stream != stream or not got.flags & Flag.END_STREAM:
            pass

    def fields(self, stream: int, fields: Fields, flags: int = 0) -> bytes:
        """A frame of fields."""
        return frame(Kind.HEADERS, Flag.END_HEADERS | flags, stream, self.encoder.encode(list(fields)))

    def trailers(self, stream: int, fields: Fields = DONE) -> bytes:
        """Fields that end the answer."""
        return self.fields(stream, fields, Flag.END_STREAM)

    def answer(self, stream: int, data: bytes = b"") -> None:
        """Answer a call, and let it be well."""
        whole = message(data)
        pieces = (whole[place : place + 16384] for place in range(0, len(whole), 16384))
        body = (frame(Kind.DATA, 0, stream, piece) for piece in pieces)
        self.send(self.fields(stream, OK), *body, self.trailers(stream))

    def reset(self, stream: int, code: int) -> None:
        self.send(frame(Kind.RST_STREAM, 0, stream, code.to_bytes(4, "big")))

    def go_away(self, last: int, code: int = Code.NO_ERROR, text: bytes = b"") -> None:
        self.send(frame(Kind.GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + text))

    def more(self, stream: int, room: int) -> None:
        self.send(window_update(stream, room))

    def set(self, setting: Setting, value: int) -> None:
        self.send(settings({setting: value}))

    async def synced(self) -> None:
        """Return when the client has taken all that was sent before."""
        self.send(frame(Kind.PING, 0, 0, b"01234567"))
        assert await self.next(Kind.PING) == Frame(Kind.PING, Flag.ACK, 0, b"01234567")

    async def room(self) -> dict[int, int]:
        """What the client has given as new room before it answers a ping that is sent now, by stream."""
        self.send(frame(Kind.PING, 0, 0, b"01234567"))
        given: dict[int, int] = {}
        while (got := await self.next(Kind.PING, Kind.WINDOW_UPDATE)).kind == Kind.WINDOW_UPDATE:
            given[got.stream] = given.get(got.stream, 0) + int.from_bytes(got.payload, "big")
        return given

    async def ended(self) -> bool:
        """Return when the client has closed; true where it said nothing else before."""
        try:
            return not await self.reader.read()
        except ConnectionResetError:
            return True


class Peer:
    """A listening socket on this host."""

    def __init__(self, secure: ssl.SSLContext | None = None) -> None:
        self.secure = secure
        self.lines: list[Line] = []
        self._new: asyncio.Queue[Line] = asyncio.Queue()

    async def __aenter__(self) -> Peer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.secure)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        self.lines.append(line)
        self._new.put_nowait(line)

    async def raw(self) -> Line:
        """The next connection, as it is."""
        return await self._new.get()

    async def line(self, values: dict[int, int] | None = None) -> Line:
        """The next connection, greeted."""
        return await (await self.raw()).greet(values)

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for line in self.lines:
            line.writer.transport.abort()
        await self._server.wait_closed()
