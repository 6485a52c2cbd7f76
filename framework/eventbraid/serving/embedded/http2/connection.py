"""One connection of a client: its calls begin, go on and end here."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol
from urllib.parse import quote

from eventbraid.http2 import connection as http2
from eventbraid.http2.blocks import RequestDecoder, literal
from eventbraid.http2.frames import (
    LARGEST_FRAME,
    PREFACE,
    Code,
    Flag,
    FrameError,
    Kind,
    Setting,
    frame,
    head,
    headers,
    window_update,
)
from eventbraid.http2.statuses import NUMBERS
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.budget import Budget
from eventbraid.serving.embedded.http2.call import Call, seconds_of
from eventbraid.serving.embedded.http2.messages import PREFIX, prefixed

__all__ = ["Connection"]

STREAM_WINDOW: Final = 4 << 20
"""Bytes that a client may send of one call before it hears from us."""
FIELDS: Final = (
    b"\x88"  # :status 200
    + literal(b"content-type", b"application/grpc")
    + literal(b"grpc-accept-encoding", b"identity,deflate,gzip")
)
OK: Final = literal(b"grpc-status", b"0")
DONE: Final = int(Flag.END_STREAM | Flag.END_HEADERS)
PLAIN: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""What a status's text may have as it is."""


class Owner(Protocol):
    """The server behind connections, as they need it."""

    budget: Budget
    most_message: int
    connections: set[Connection]

    def begin(self, call: Call, connection: Connection) -> None:
        """A call's fields are there."""
        ...

    def arrived(self, call: Call, connection: Connection) -> None:
        """A message is there, or the client has said all."""
        ...


class Connection(http2.Connection[Call]):
    """Calls of one client; `leave` lets them end and takes no more."""

    other = "the client"
    last_flag = 0

    def __init__(self, server: Owner) -> None:
        super().__init__()
        self._server = server
        self._decoder = RequestDecoder()
        self._last = 0
        self._start: bytes | None = b""
        """What came of the preface; None when it is whole."""
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what is allowed."""
        address = transport.get_extra_info("peername")
        self.peer = f"ipv4:{address[0]}:{address[1]}" if address else "unknown"
        self._server.connections.add(self)
        ours: dict[int, int] = {
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_FRAME_SIZE: LARGEST_FRAME,
        }
        self._greet(transport, b"", ours)

    def data_received(self, data: bytes) -> None:
        """Take the preface, then frames."""
        if self._start is None:
            super().data_received(data)
            return
        self._start += data
        if not PREFACE.startswith(self._start[: len(PREFACE)]):
            self._give_up("the client does not speak HTTP/2")
        elif len(self._start) >= len(PREFACE):
            data, self._start = self._start[len(PREFACE) :], None
            if data:
                super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what is on its way."""
        self._end(str(exc or "the client has closed the connection"))
        self._server.connections.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # What comes.

    def _headers(self, number: int, flags: int, block: bytes) -> None:
        fields = self._decoder.decode(block)  # also of a call that is refused: the memory of both must agree
        call = self._streams.get(number)
        if call is not None:  # a client's trailers, of which gRPC has none
            self._said_all(call)
            return
        if number % 2 == 0:
            raise FrameError(f"it begins stream {number}, which is a server's")
        if number <= self._last:
            return  # of a call that is over
        if self.leaving:
            return  # it is told how far we have come, and may ask elsewhere
        self._last = number
        call = Call(number, self._stream_window, fields, self, self._server.most_message)
        self._streams[number] = call
        timeout = seconds_of(fields.get("grpc-timeout", ""))
        if timeout is not None:
            call.until = self._loop.time() + timeout
            call.timer = self._loop.call_later(timeout, self._expired, call)
        self._server.begin(call, self)
        if flags & Flag.END_STREAM:
            self._said_all(call)

    def _data(self, number: int, payload: bytes | memoryview, *, last: bool) -> None:
        call = self._streams.get(number)
        if call is None or call.over:
            return
        if payload:
            call.received += len(payload)
            try:
                call.messages.take(payload)
                self._hold(call)
            except ModelFailure as error:
                self.refuse(call, error)
                return
            if call.messages.ready:
                self._server.arrived(call, self)
            if not last and call.received - call.granted > STREAM_WINDOW // 2 and not call.messages.ready:
                self._grant(call)
        if last:
            self._said_all(call)

    def _hold(self, call: Call) -> None:
        """Have the budget know of what is here of an incomplete message."""
        more = call.messages.incomplete - call.held
        if more > 0:
            self._server.budget.take(more, "request")
        elif more < 0:
            self._server.budget.give(-more)
        call.held += more

    def _grant(self, call: Call) -> None:
        self._write(window_update(call.number, call.received - call.granted))
        call.granted = call.received

    def has_read(self, call: Call) -> None:
        """The handler has taken a message: there is room for more."""
        if not call.no_more and not call.messages.ready and call.received - call.granted > STREAM_WINDOW // 2:
            self._grant(call)

    def _said_all(self, call: Call) -> None:
        if not call.no_more:
            call.no_more = True
            if not call.over:
                self._server.arrived(call, self)

    def _was_reset(self, number: int, code: int) -> None:
        call = self._streams.get(number)
        if call is not None:
            self._forget(call)

    def _go_away(self, payload: bytes) -> None:
        self.leaving = self.leaving or "the client is going away"
        self._close_if_left()

    def _settled(self, values: dict[int, int]) -> None:
        """Nothing else that it says matters here."""

    # What is said.

    def answer(self, call: Call, message: bytes) -> None:
        """The one answer of a call, and its status: all is well."""
        if call.over:
            return
        start, body = prefixed(message)
        length = PREFIX + len(body)
        number = call.number
        if not call.body and self._fits(call, length):
            self._window -= length
            self._write(
                self._first_fields(call),
                head(Kind.DATA, 0, number, length),
                start,
                body,
                self._last_words(call, OK),
            )
            self._release(call)
        else:
            self._write(self._first_fields(call))
            self._queue(call, start, body)
            self.end(call)

    async def send(self, call: Call, message: bytes) -> None:
        """One of several answers; returns when there is room for the next."""
        if call.over:
            return
        start, body = prefixed(message)
        self._write(self._first_fields(call))
        self._queue(call, start, body)
        self._flush_soon()
        while call.body and not call.over:
            await call.wait()

    def end(self, call: Call, code: int = 0, details: str = "") -> None:
        """The status of a call; where it is an error what was not sent yet is dropped."""
        if call.over:
            return
        status = OK if code == 0 else literal(b"grpc-status", str(code).encode())
        if details:
            status += literal(b"grpc-message", quote(details, safe=PLAIN).encode())
        if code:
            call.body.clear()
        if call.body:
            call.over, call.trailers = True, status
            return
        self._write(self._last_words(call, status if call.began else FIELDS + status))
        self._release(call)

    def refuse(self, call: Call, error: ModelFailure) -> None:
        """End a call that is not let in, or no further."""
        self.end(call, NUMBERS[error.code], error.details)

    def _first_fields(self, call: Call) -> bytes:
        if call.began:
            return b""
        call.began = True
        return frame(Kind.HEADERS, Flag.END_HEADERS, call.number, FIELDS)

    def _last_words(self, call: Call, block: bytes) -> bytes:
        """The fields that end a call, and that nobody wants to hear the rest of one that is refused before its end."""
        ending = frame(Kind.HEADERS, DONE, call.number, block)
        if len(block) > self._largest_frame:
            parts = bytearray(headers(call.number, block, self._largest_frame))
            parts[4] |= Flag.END_STREAM
            ending = bytes(parts)
        if call.no_more:
            return ending
        return ending + frame(Kind.RST_STREAM, 0, call.number, int(Code.NO_ERROR).to_bytes(4, "big"))

    def _queue(self, call: Call, start: bytes, body: bytes) -> None:
        waiting = bool(call.body)
        call.body.extend((memoryview(start), memoryview(body)) if body else (memoryview(start),))
        if not waiting:
            self._sending.append(call)

    def _body_sent(self, stream: Call, parts: list[bytes | memoryview]) -> None:
        if stream.over:
            parts.append(self._last_words(stream, stream.trailers))
            self._release(stream)
        else:
            stream.wake()

    # How it ends.

    def _expired(self, call: Call) -> None:
        if not call.over:
            self.end(call, NUMBERS["DEADLINE_EXCEEDED"], "Deadline Exceeded")
            self._cancel(call)

    def _forget(self, call: Call) -> None:
        """Nobody waits for a call any more."""
        self._release(call)
        self._cancel(call)

    def _cancel(self, call: Call) -> None:
        if call.task is not None and not call.task.done() and call.task is not asyncio.current_task():
            call.task.cancel()

    def _release(self, call: Call) -> None:
        """Let go of all that a call has."""
        self._streams.pop(call.number, None)
        call.over = True
        call.body.clear()
        if call.held:
            self._server.budget.give(call.held)
            call.held = 0
        if call.taken is not None:
            call.taken()
            call.taken = None
        call.wake()
        call.ended()
        self._close_if_left()

    def leave(self) -> None:
        """Take no more calls; the connection ends with its last one."""
        if not self.leaving and not self.closed.done():
            self.leaving = "the server ends"
            last = self._last.to_bytes(4, "big")
            self._write(frame(Kind.GOAWAY, 0, 0, last + int(Code.NO_ERROR).to_bytes(4, "big")))
            self._close_if_left()

    def abort(self) -> None:
        """End it now, with all its calls."""
        self._give_up("the server has ended")

    def _close_if_left(self) -> None:
        if self.leaving and not self._streams and self._transport is not None and not self._flushing:
            self._transport.close()

    def _end(self, why: str) -> None:
        self.leaving = self.leaving or why
        for call in list(self._streams.values()):
            self._forget(call)
        self._sending.clear()
