"""One HTTP/2 connection, from the client's side: its calls, and how it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Final

from eventbraid.http2 import connection as http2
from eventbraid.http2.blocks import NO_TABLE, Decoder
from eventbraid.http2.frames import (
    LARGEST_FRAME,
    PREFACE,
    Code,
    Flag,
    FrameError,
    Kind,
    Setting,
    code_of,
    foreign,
    goodbye,
    head,
    headers,
    wants_tls,
    window_update,
)
from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2.fields import reset_status, status_of, timeout_field

__all__ = ["Answer", "Connection", "Stream", "Unseen", "too_late"]

LAST_STREAM: Final = (1 << 31) - 1
Answer = tuple[dict[str, str], Sequence[bytes | memoryview]]
"""Fields and message, in parts."""


class Unseen(TransportError):
    """The server has not begun with the call: it may be made again, whatever it does."""


class Stream(http2.Stream):
    """A call on its way."""

    __slots__ = ("answer", "chunks", "fields", "timer", "until")

    def __init__(self, number: int, window: int, until: float, answer: asyncio.Future[None]) -> None:
        super().__init__(number, window)
        self.until = until
        """Its deadline, of the monotonic clock."""
        self.answer = answer
        self.fields: dict[str, str] = {}
        self.chunks: list[bytes | memoryview] = []
        self.timer: asyncio.TimerHandle | None = None

    def fail(self, error: TransportError) -> None:
        """Give the caller an error, unless the call has ended already."""
        if self.answer.done():
            return
        if error.code == "CANCELLED" and monotonic() >= self.until:
            error = too_late()  # the server saw it first
        self.answer.set_exception(error)


class Connection(http2.Connection[Stream]):
    """Calls over one connection, until it is lost or the server asks to go."""

    other = "the server"

    def __init__(self) -> None:
        super().__init__()
        self._next = 1
        self._decoder = Decoder()
        self._most_streams = LAST_STREAM
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Calls that wait until the server takes another one."""
        self._called = 0
        """Calls whose turn it is, but that have not begun yet."""
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        """Done when the server has shown that it speaks HTTP/2; an error where it is lost before."""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the server."""
        ours: dict[int, int] = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: http2.WINDOW,
            Setting.MAX_FRAME_SIZE: LARGEST_FRAME,
        }
        if self.leaving:  # given up while it was made
            self._transport = transport  # type: ignore[assignment]  # the one of a socket
            transport.abort()  # type: ignore[attr-defined]
            return
        self._greet(transport, PREFACE, ours)

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
        if self._fits(stream, length):
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

    # What comes.

    def _data(self, number: int, payload: bytes | memoryview, *, last: bool) -> None:
        stream = self._streams.get(number)
        if stream is None:
            self._check_was_made(number)
            return
        if payload:
            stream.chunks.append(payload)
        if last:
            self._finish(stream)

    def _grant_streams(self) -> None:
        for stream in self._streams.values():
            received = sum(map(len, stream.chunks))
            if received > stream.granted:
                self._write(window_update(stream.number, received - stream.granted))
                stream.granted = received

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

    def _settled(self, values: dict[int, int]) -> None:
        self._most_streams = values.get(Setting.MAX_CONCURRENT_STREAMS, self._most_streams)
        if not self.greeted.done():
            self.greeted.set_result(None)
        self._wake()

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

    # How it ends.

    def _expired(self, stream: Stream) -> None:
        self._forget(stream, Code.CANCEL)
        stream.fail(too_late())

    def _forget(self, stream: Stream, code: Code | None = None) -> None:
        """A call is over; with a code the server is told."""
        if self._streams.pop(stream.number, None) is None:
            return
        if stream.timer is not None:
            stream.timer.cancel()
        stream.body.clear()
        if code is not None:
            self._reset(stream.number, code)
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
