"""Whatever windows and bounds a server sets, nothing is sent beyond them, and in the end everything is."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import hpack
from hypothesis import given
from hypothesis import strategies as st
from scripted_peer import DONE, OK, message

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
from eventbraid.inference.transport.http2.connection import Connection

SIZES = (0, 1, 100, 16384, 65535, 65536, 100_000)


class Server(asyncio.Transport):
    """The other side of a connection, without a network: it checks every frame against what it allows."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = hpack.Encoder()
        self.received = bytearray()
        self.unacknowledged: deque[dict[int, int]] = deque()
        self.most, self.largest, self.first, self.window = 1 << 31, 16384, 65535, 65535
        self.windows: dict[int, int] = {}
        self.bodies: dict[int, bytearray] = {}
        self.whole: set[int] = set()
        self.protocol: Any = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.protocol.connection_lost(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += data
        if self.received.startswith(PREFACE[:4]):
            del self.received[: len(PREFACE)]
        while len(self.received) >= 9 and len(self.received) >= 9 + int.from_bytes(self.received[:3], "big"):
            end = 9 + int.from_bytes(self.received[:3], "big")
            kind, flags, stream = self.received[3], self.received[4], int.from_bytes(self.received[5:9], "big")
            self.take(kind, flags, stream, bytes(self.received[9:end]))
            del self.received[:end]

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == Kind.HEADERS:
            assert len(self.windows) < self.most
            self.windows[stream], self.bodies[stream] = self.first, bytearray()
        elif kind == Kind.DATA:
            assert len(payload) <= self.largest
            self.windows[stream] -= len(payload)
            self.window -= len(payload)
            assert self.window >= 0
            assert self.windows[stream] >= 0
            self.bodies[stream] += payload
            if flags & Flag.END_STREAM:
                self.whole.add(stream)
        elif kind == Kind.SETTINGS and flags & Flag.ACK:
            values = self.unacknowledged.popleft()
            self.most = values.get(Setting.MAX_CONCURRENT_STREAMS, self.most)
            self.largest = values.get(Setting.MAX_FRAME_SIZE, self.largest)
            change = values.get(Setting.INITIAL_WINDOW_SIZE, self.first) - self.first
            self.first += change
            self.windows = {number: window + change for number, window in self.windows.items()}
        elif kind == Kind.RST_STREAM:
            assert int.from_bytes(payload, "big") == Code.CANCEL
            self.forget(stream)

    def forget(self, stream: int) -> None:
        for known in (self.windows, self.bodies):
            known.pop(stream, None)
        self.whole.discard(stream)

    def send(self, data: bytes) -> None:
        self.protocol.data_received(data)

    def set(self, setting: int, value: int) -> None:
        self.unacknowledged.append({setting: value})
        self.send(settings({setting: value}))

    def more(self, stream: int, room: int) -> None:
        if stream == 0:
            self.window += room
        elif stream in self.windows:
            self.windows[stream] += room
        self.send(window_update(stream, room))

    def answer(self, stream: int) -> None:
        """Answer a call with its own body."""
        data = bytes(self.bodies[stream])
        self.forget(stream)
        parts = (frame(Kind.DATA, 0, stream, data[place : place + 16384]) for place in range(0, len(data), 16384))
        first = frame(Kind.HEADERS, Flag.END_HEADERS, stream, self.encoder.encode(list(OK)))
        last = frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, self.encoder.encode(list(DONE)))
        self.send(b"".join((first, *parts, last)))


numbers = st.integers(0, 7)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(SIZES)),
        st.tuples(st.just("window"), st.sampled_from(SIZES)),
        st.tuples(st.just("frames"), st.sampled_from((16384, 20_000, 1 << 20))),
        st.tuples(st.just("most"), st.integers(0, 3)),
        st.tuples(st.just("more"), st.tuples(numbers, st.sampled_from(SIZES[1:]))),
        st.tuples(st.just("cancel"), numbers),
        st.tuples(st.just("answer"), numbers),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("turn"), st.just(None)),
    ),
    max_size=60,
)


@given(steps)
def test_nothing_is_sent_beyond_what_is_allowed_and_in_the_end_all_of_it(made: list[tuple[str, Any]]) -> None:
    asyncio.run(talk(made))


async def talk(made: list[tuple[str, Any]]) -> None:
    server, client = Server(), Connection()
    server.protocol = client
    client.connection_made(server)
    server.set(Setting.HEADER_TABLE_SIZE, 0)
    calls: list[tuple[bytes, asyncio.Task[Any]]] = []
    for what, value in made:
        if what == "call":
            data = bytes([len(calls)]) * value
            body = [message(data)[:5], memoryview(data)]
            calls.append((message(data), asyncio.create_task(client.call(b"\x83", body, 60))))
        elif what == "window":
            server.set(Setting.INITIAL_WINDOW_SIZE, value)
        elif what == "frames":
            server.set(Setting.MAX_FRAME_SIZE, value)
        elif what == "most":
            server.set(Setting.MAX_CONCURRENT_STREAMS, value)
        elif what == "more":
            number, room = value
            server.more(sorted([0, *server.windows])[number % (len(server.windows) + 1)], room)
        elif what == "cancel" and calls:
            calls[value % len(calls)][1].cancel()
        elif what == "answer" and server.whole:
            server.answer(sorted(server.whole)[value % len(server.whole)])
        elif what == "pause":
            (client.pause_writing if value else client.resume_writing)()
        elif what == "turn":
            await asyncio.sleep(0)
    server.set(Setting.MAX_CONCURRENT_STREAMS, 3)
    server.set(Setting.INITIAL_WINDOW_SIZE, 1 << 20)
    server.more(0, 1 << 24)
    client.resume_writing()
    while not all(task.done() for _, task in calls):
        await asyncio.sleep(0)
        for stream in sorted(server.whole):
            server.answer(stream)
    for data, task in calls:
        if not task.cancelled():
            fields, chunks = task.result()
            assert fields["grpc-status"] == "0"
            assert b"".join(chunks) == data
    assert not client._streams
    assert not client._waiting
    assert client._called == 0
    await asyncio.sleep(0)
    assert not client._out
    await client.aclose("done")
