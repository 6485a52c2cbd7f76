"""One HTTP/2 connection, from the client's side: streams, flow control, and how it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Final, cast

from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2.fields import NO_TABLE, Decoder, reset_status, status_of, timeout_field
from eventbraid.inference.transport.http2.frames import (
    FRAME_BYTES,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    PREFACE,
    Code,
    Flag,
    FrameError,
    Kind,
    Reader,
    Setting,
    code_of,
    foreign,
    frame,
    goodbye,
    head,
    headers,
    settings,
    settings_of,
    unpadded,
    wants_tls,
    window_update,
    word,
)

__all__ = ["Answer", "Connection", "Stream", "Unseen", "too_late"]

WINDOW: Final = 1 << 30
"""Bytes that the server may send before it hears from us; what is in flight is bounded by the requests."""
FIRST_WINDOW: Final = 65535
BURST: Final = 1 << 20
"""Bytes that are written before the event loop has a turn."""
LARGEST_BLOCK: Final = 1 << 20
"""Of the fields of an answer as they come."""
LAST_STREAM: Final = (1 << 31) - 1
Answer = tuple[dict[str, str], Sequence[bytes | memoryview]]
"""Fields and message, in parts."""


class Unseen(TransportError):
    """The server has not begun with the call: it may be made again, whatever it does."""


class Stream:
    """A call on its way."""

    __slots__ = ("answer", "body", "chunks", "fields", "granted", "number", "timer", "until", "window")

    def __init__(self, number: int, window: int, until: float, answer: asyncio.Future[None]) -> None:
        self.number = number
        self.window = window
        self.until = until
        """Its deadline, of the monotonic clock."""
        self.answer = answer
        self.body: deque[memoryview] = deque()
        """What is still to be sent."""
        self.fields: dict[str, str] = {}
        self.chunks: list[bytes | memoryview] = []
        self.granted = 0
        """Bytes of those for which the server has been given new room."""
        self.timer: asyncio.TimerHandle | None = None

    def fail(self, error: TransportError) -> None:
        """Give the caller an error, unless the call has ended already."""
        if self.answer.done():
            return
        if error.code == "CANCELLED" and monotonic() >= self.until:
            error = too_late()  # the server saw it first
        self.answer.set_exception(error)

    def __repr__(self) -> str:
        return f"Stream({self.number})"


class Connection(asyncio.Protocol):
    """Calls over one connection, until it is lost or the server asks to go."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._reader = Reader()
        self._decoder = Decoder()
        self._block: tuple[int, int, bytes] | None = None
        """Stream, flags and what is there of a header block that goes on in another frame."""
        self._out: list[bytes | memoryview] = []
        self._flushing = False
        self._sending: deque[Stream] = deque()
        """Streams whose body waits for room."""
        self._paused = False
        self._window = FIRST_WINDOW
        self._stream_window = FIRST_WINDOW
        self._largest_frame = FRAME_BYTES
        self._most_streams = LAST_STREAM
        self._granted = 0
        """Bytes of DATA for which the server has been given new room."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Calls that wait until the server takes another one."""
        self._called = 0
        """Calls whose turn it is, but that have not begun yet."""
        self.greeted: asyncio.Future[None] = loop.create_future()
        """Done when the server has shown that it speaks HTTP/2; an error where it is lost before."""
        self.closed: asyncio.Future[None] = loop.create_future()
        self.leaving = ""
        """Why no new call may start here; empty while one may."""

    def __repr__(self) -> str:
        return f"Connection({len(self._streams)} streams{', ' + self.leaving if self.leaving else ''})"

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the server."""
        self._transport = cast("asyncio.Transport", transport)
        if self.leaving:  # given up while it was made
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=BURST)
        ours: dict[int, int] = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: WINDOW,
            Setting.MAX_FRAME_SIZE: LARGEST_FRAME,
        }
        self._transport.write(PREFACE + settings(ours) + window_update(0, WINDOW - FIRST_WINDOW))

    def data_received(self, data: bytes) -> None:
        """Take frames."""
        try:
            for kind, flags, number, payload in self._reader.feed(data):
                if kind == Kind.DATA and self._block is None:
                    stream = self._streams.get(number)
                    if stream is None:
                        self._check_was_made(number)
                        continue
                    if payload:
                        stream.chunks.append(payload)
                    if flags & Flag.END_STREAM:
                        self._finish(stream)
                else:
                    self._take(kind, flags, number, bytes(payload))
            if self._reader.consumed - self._granted > WINDOW // 4:
                self._grant()
        except FrameError as error:
            self._give_up(f"the server does not speak HTTP/2 as it should: {error}")

    def pause_writing(self) -> None:
        """The transport has enough to write."""
        self._paused = True

    def resume_writing(self) -> None:
        """It may have more."""
        self._paused = False
        self._flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is on its way."""
        said = b"" if self.greeted.done() else self._reader.rest
        if said:
            why = foreign(said)
        elif exc is not None:
            why = f"the connection was lost: {exc}"
        else:
            why = "the connection was lost" if self.greeted.done() else "the server closed the connection at once"
        self._end(why)
        if not self.closed.done():
            self.closed.set_result(None)

    # What the transport calls.

    @property
    def silent(self) -> bool:
        """True where the server has said nothing at all, or only that it wants TLS."""
        said = self._reader.rest
        return not said or wants_tls(said)

    async def call(
        self,
        fields: bytes,
        body: Sequence[bytes | memoryview],
        timeout: float,  # noqa: ASYNC109
    ) -> Answer:
        """Send a message and return the answer; raises `TransportError`."""
        if timeout <= 0:
            raise too_late()
        until = monotonic() + timeout
        while len(self._streams) + self._called >= self._most_streams and not self.leaving:
            await self._turn(timeout)
            timeout = until - monotonic()
        if self.leaving:
            raise Unseen("UNAVAILABLE", self.leaving)
        stream = Stream(self._next, self._stream_window, until, self._loop.create_future())
        self._streams[stream.number] = stream
        self._next += 2
        if self._next > LAST_STREAM:
            self.leaving = "the connection has had all its streams"
            self._wake()
        stream.timer = self._loop.call_later(timeout, self._expired, stream)
        block = fields + timeout_field(timeout)
        if stream.number == 1:
            block = NO_TABLE + block
        length = sum(len(part) for part in body)
        self._out.append(headers(stream.number, block, self._largest_frame))
        if length <= min(self._largest_frame, self._window, stream.window) and not self._paused:
            self._window -= length
            stream.window -= length
            self._out += (head(Kind.DATA, Flag.END_STREAM, stream.number, length), *body)
        else:
            stream.body.extend(memoryview(part) for part in body if part)
            self._sending.append(stream)
        self._flush_soon()
        try:
            await stream.answer
        except BaseException:
            self._forget(stream, Code.CANCEL)
            raise
        return stream.fields, stream.chunks

    async def aclose(self, why: str) -> None:
        """Give the connection up; calls on their way fail with that reason."""
        self._give_up(why)
        if self._transport is not None:
            await self.closed

    # Frames.

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and kind != Kind.CONTINUATION:
            raise FrameError("a header block is interrupted")
        if kind == Kind.HEADERS:
            block = unpadded(flags, payload)
            if flags & Flag.END_HEADERS:
                self._headers(number, flags, block)
            else:
                self._block = (number, flags, block)
        elif kind == Kind.CONTINUATION:
            if self._block is None or self._block[0] != number:
                raise FrameError("a header block goes on that has not begun")
            _, first_flags, block = self._block
            self._block = (number, first_flags, block + payload)
            if len(block) + len(payload) > LARGEST_BLOCK:
                raise FrameError("a header block does not end")
            if flags & Flag.END_HEADERS:
                self._block = None
                self._headers(number, first_flags, block + payload)
        elif kind == Kind.WINDOW_UPDATE:
            self._more_room(number, word(payload) & 0x7FFFFFFF)
        elif kind == Kind.SETTINGS:
            if not flags & Flag.ACK:
                self._settings(settings_of(payload))
        elif kind == Kind.PING:
            if len(payload) != 8:
                raise FrameError(f"a PING has {len(payload)} bytes")
            if not flags & Flag.ACK:
                self._write(frame(Kind.PING, Flag.ACK, 0, payload))
        elif kind == Kind.RST_STREAM:
            self._was_reset(number, word(payload))
        elif kind == Kind.GOAWAY:
            self._go_away(payload)
        elif kind == Kind.PUSH_PROMISE:
            raise FrameError("it pushes what nobody asked for")

    def _headers(self, number: int, flags: int, block: bytes) -> None:
        fields = self._decoder.decode(block)  # also of a stream that is forgotten: the memory of both must agree
        stream = self._streams.get(number)
        if stream is None:
            self._check_was_made(number)
            return
        stream.fields = {**stream.fields, **fields} if stream.fields else fields
        if flags & Flag.END_STREAM:
            self._finish(stream)

    def _check_was_made(self, number: int) -> None:
        """An answer may come to a call that is forgotten, but not to one that nobody made."""
        if number % 2 == 0 or number >= self._next:
            raise FrameError(f"it answers on stream {number} a call that nobody made")

    def _finish(self, stream: Stream) -> None:
        """The server has said all that it has to say of a call."""
        code, message = status_of(stream.fields)
        if stream.body:  # it does not want the rest
            self._forget(stream, Code.CANCEL)
        else:
            self._forget(stream)
        if code != "OK":
            stream.fail(TransportError(code, message))
        elif not stream.answer.done():
            stream.answer.set_result(None)

    def _settings(self, values: dict[int, int]) -> None:
        window = values.get(Setting.INITIAL_WINDOW_SIZE)
        if window is not None:
            change, self._stream_window = window - self._stream_window, window
            for stream in self._streams.values():
                stream.window += change
                check_window(stream.window)
        self._largest_frame = min(values.get(Setting.MAX_FRAME_SIZE, self._largest_frame), LARGEST_FRAME)
        self._most_streams = values.get(Setting.MAX_CONCURRENT_STREAMS, self._most_streams)
        if not self.greeted.done():
            self.greeted.set_result(None)
        self._write(frame(Kind.SETTINGS, Flag.ACK, 0))
        self._wake()

    def _more_room(self, number: int, more: int) -> None:
        if number == 0:
            self._window += more
            check_window(self._window)
        elif (stream := self._streams.get(number)) is not None:
            stream.window += more
            check_window(stream.window)
        if self._sending:
            self._flush_soon()

    def _was_reset(self, number: int, code: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        self._forget(stream)
        kind = Unseen if code == Code.REFUSED_STREAM else TransportError
        stream.fail(kind(reset_status(code), f"the server reset the call (RST_STREAM {code_of(code)})"))

    def _go_away(self, payload: bytes) -> None:
        """The server asks for no more calls; those that it has not seen may be made elsewhere."""
        last, why = goodbye(payload)
        self.leaving = f"the server is going away (GOAWAY {why})"
        for number in [number for number in self._streams if number > last]:
            stream = self._streams[number]
            self._forget(stream)
            stream.fail(Unseen("UNAVAILABLE", self.leaving))
        self._wake()
        self._close_if_left()

    # What is written.

    def _write(self, *parts: bytes | memoryview) -> None:
        self._out += parts
        self._flush_soon()

    def _flush_soon(self) -> None:
        """Write once all that is put together in one turn of the loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        parts, self._out = self._out, []
        bodies = self._bodies() if self._sending else ()
        if self._transport is not None and not self._transport.is_closing():
            if bodies:
                self._transport.writelines([*parts, *bodies[:-1]])
                # Not all at once: asyncio's writelines before 3.12.9 and 3.13.2 never says that its buffer is full.
                self._transport.write(bodies[-1])
            elif parts:
                self._transport.write(b"".join(parts))
        self._close_if_left()

    def _bodies(self) -> list[bytes | memoryview]:
        """DATA of the bodies that wait, each stream in turn; what is left when this has its bound waits for a turn."""
        parts: list[bytes | memoryview] = []
        budget, without_room = BURST, 0
        while without_room < len(self._sending) and self._window > 0 and not self._paused:
            if budget <= 0:
                self._flush_soon()
                break
            stream = self._sending.popleft()
            if stream.number not in self._streams:
                continue
            sent = self._body(stream, budget, parts)
            without_room = 0 if sent else without_room + 1
            budget -= sent
            if stream.body:
                self._sending.append(stream)
        return parts

    def _body(self, stream: Stream, most: int, parts: list[bytes | memoryview]) -> int:
        """Add DATA frames of a stream until its body or the room for it ends; the bytes of that."""
        sent, body = 0, stream.body
        while body and (room := min(self._largest_frame, self._window, stream.window, most - sent)) > 0:
            place = len(parts)
            left = room
            while body and left:
                part = body.popleft()
                if len(part) > left:
                    body.appendleft(part[left:])
                    part = part[:left]
                parts.append(part)
                left -= len(part)
            length = room - left
            parts.insert(place, head(Kind.DATA, 0 if body else Flag.END_STREAM, stream.number, length))
            self._window -= length
            stream.window -= length
            sent += length
        return sent

    def _grant(self) -> None:
        """Give the server as much room as it has used, on the connection and on each stream."""
        self._write(window_update(0, self._reader.consumed - self._granted))
        self._granted = self._reader.consumed
        for stream in self._streams.values():
            received = sum(map(len, stream.chunks))
            if received > stream.granted:
                self._write(window_update(stream.number, received - stream.granted))
                stream.granted = received

    # How it ends.

    def _expired(self, stream: Stream) -> None:
        self._forget(stream, Code.CANCEL)
        stream.fail(too_late())

    def _forget(self, stream: Stream, code: int | None = None) -> None:
        """A call is over; with a code the server is told."""
        if self._streams.pop(stream.number, None) is None:
            return
        if stream.timer is not None:
            stream.timer.cancel()
        stream.body.clear()
        if code is not None and not self.closed.done():
            self._write(frame(Kind.RST_STREAM, 0, stream.number, code.to_bytes(4, "big")))
        self._wake()
        self._close_if_left()

    async def _turn(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until the server takes another call, behind those who wait already."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # called in vain
                self._called -= 1
                self._wake()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise too_late() from None
            raise
        self._called -= 1

    def _wake(self) -> None:
        """Call as many as there is room for, or all where there will be none."""
        while self._waiting and (self.leaving or len(self._streams) + self._called < self._most_streams):
            turn = self._waiting.popleft()
            if not turn.done():
                self._called += 1
                turn.set_result(None)

    def _close_if_left(self) -> None:
        if self.leaving and not self._streams and self._transport is not None and not self._flushing:
            self._transport.close()

    def _give_up(self, why: str) -> None:
        self._end(why)
        if self._transport is not None:
            self._transport.abort()

    def _end(self, why: str) -> None:
        self.leaving = self.leaving or why
        if not self.greeted.done():
            self.greeted.set_exception(TransportError("UNAVAILABLE", why))
            self.greeted.exception()  # seen, whoever waits for it
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            if stream.timer is not None:
                stream.timer.cancel()
            stream.body.clear()
            stream.fail(TransportError("UNAVAILABLE", why))
        self._sending.clear()
        self._wake()


def too_late() -> TransportError:
    """The deadline of a call has passed."""
    return TransportError("DEADLINE_EXCEEDED", "Deadline Exceeded")


def check_window(window: int) -> None:
    """Raise `FrameError` where a window is larger than HTTP/2 has it."""
    if window > LARGEST_WINDOW:
        raise FrameError(f"it opens a window of {window} bytes")
