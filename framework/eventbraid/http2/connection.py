"""One HTTP/2 connection, what both of its sides have in common: frames, flow control, and what is written when."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import ClassVar, Final, Generic, TypeVar, cast

from eventbraid.http2.frames import (
    FRAME_BYTES,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    Code,
    Flag,
    FrameError,
    Kind,
    Reader,
    Setting,
    frame,
    head,
    settings,
    settings_of,
    unpadded,
    window_update,
    word,
)

__all__ = ["BURST", "FIRST_WINDOW", "WINDOW", "Connection", "Stream"]

WINDOW: Final = 1 << 30
"""Bytes that the other side may send on a connection before it hears from us."""
FIRST_WINDOW: Final = 65535
BURST: Final = 1 << 20
"""Bytes that are written before the event loop has a turn."""
LARGEST_BLOCK: Final = 1 << 20
"""Of header fields as they come."""


class Stream:
    """A call on its way."""

    __slots__ = ("body", "granted", "number", "window")

    def __init__(self, number: int, window: int) -> None:
        self.number = number
        self.window = window
        self.body: deque[memoryview] = deque()
        """What is still to be sent."""
        self.granted = 0
        """Bytes that were received and for which the other side has been given new room."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.number})"


S = TypeVar("S", bound=Stream)


class Connection(asyncio.Protocol, ABC, Generic[S]):
    """Streams over one connection, until it is lost."""

    other: ClassVar[str]
    """Who is at its other end, in words."""
    last_flag: ClassVar[int] = Flag.END_STREAM
    """Of the last frame of a body."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, S] = {}
        self._reader = Reader()
        self._block: tuple[int, int, bytes] | None = None
        """Stream, flags and what is there of a header block that goes on in another frame."""
        self._out: list[bytes | memoryview] = []
        self._flushing = False
        self._more = False
        """What was sent last had its bound, and there is room for more."""
        self._sending: deque[S] = deque()
        """Streams whose body waits for room."""
        self._paused = False
        self._window = FIRST_WINDOW
        self._stream_window = FIRST_WINDOW
        self._largest_frame = FRAME_BYTES
        self._granted = 0
        """Bytes of DATA for which the other side has been given new room."""
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.leaving = ""
        """Why no new call may start here; empty while one may."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._streams)} streams{', ' + self.leaving if self.leaving else ''})"

    # What a side does with what comes.

    @abstractmethod
    def _data(self, number: int, payload: bytes | memoryview, *, last: bool) -> None:
        """A part of a stream's message, the last one where the other side has said all."""

    @abstractmethod
    def _headers(self, number: int, flags: int, block: bytes) -> None:
        """A whole header block."""

    @abstractmethod
    def _was_reset(self, number: int, code: int) -> None:
        """The other side has given a stream up."""

    @abstractmethod
    def _go_away(self, payload: bytes) -> None:
        """The other side wants no more streams."""

    @abstractmethod
    def _settled(self, values: dict[int, int]) -> None:
        """The other side has said what it allows; windows and frames have been seen to."""

    @abstractmethod
    def _end(self, why: str) -> None:
        """Nothing more comes or goes."""

    @abstractmethod
    def _close_if_left(self) -> None:
        """Close the connection where nothing is left to be done on it."""

    # What asyncio calls.

    def _greet(self, transport: asyncio.BaseTransport, preface: bytes, values: dict[int, int]) -> None:
        """What is said first."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=BURST)
        self._transport.write(preface + settings(values) + window_update(0, WINDOW - FIRST_WINDOW))

    def data_received(self, data: bytes) -> None:
        """Take frames."""
        try:
            for kind, flags, number, payload in self._reader.feed(data):
                if kind == Kind.DATA and self._block is None:
                    self._data(number, payload, last=bool(flags & Flag.END_STREAM))
                else:
                    self._take(kind, flags, number, bytes(payload))
            if self._reader.consumed - self._granted > WINDOW // 4:
                self._write(window_update(0, self._reader.consumed - self._granted))
                self._granted = self._reader.consumed
                self._grant_streams()
        except FrameError as error:
            self._give_up(f"{self.other} does not speak HTTP/2 as it should: {error}")

    def _grant_streams(self) -> None:
        """Give streams more room, where that goes with the room of the connection."""

    def pause_writing(self) -> None:
        """The transport has enough to write."""
        self._paused = True

    def resume_writing(self) -> None:
        """It may have more."""
        self._paused = False
        self._flush_soon()

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

    def _settings(self, values: dict[int, int]) -> None:
        window = values.get(Setting.INITIAL_WINDOW_SIZE)
        if window is not None:
            change, self._stream_window = window - self._stream_window, window
            for stream in self._streams.values():
                stream.window += change
                check_window(stream.window)
        self._largest_frame = min(values.get(Setting.MAX_FRAME_SIZE, self._largest_frame), LARGEST_FRAME)
        self._write(frame(Kind.SETTINGS, Flag.ACK, 0))
        self._settled(values)

    def _more_room(self, number: int, more: int) -> None:
        if number == 0:
            self._window += more
            check_window(self._window)
        elif (stream := self._streams.get(number)) is not None:
            stream.window += more
            check_window(stream.window)
        if self._sending:
            self._flush_soon()

    # What is written.

    def _write(self, *parts: bytes | memoryview) -> None:
        self._out += parts
        self._flush_soon()

    def _fits(self, stream: S, length: int) -> bool:
        """True where a body may go in one frame, now."""
        return length <= min(self._largest_frame, self._window, stream.window) and not self._paused

    def _flush_soon(self) -> None:
        """Write once all that is put together in one turn of the loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._more = False
        bodies = self._bodies() if self._sending else ()  # the connection stays open while these are put together
        parts, self._out = self._out, []
        self._flushing = False
        if self._transport is not None and not self._transport.is_closing():
            if bodies:
                self._transport.writelines([*parts, *bodies[:-1]])
                # Not all at once: asyncio's writelines before 3.12.9 and 3.13.2 never says that its buffer is full.
                self._transport.write(bodies[-1])
            elif parts:
                self._transport.write(b"".join(parts))
        if self._more:
            self._flush_soon()
        self._close_if_left()

    def _bodies(self) -> list[bytes | memoryview]:
        """DATA of the bodies that wait, each stream in turn; what is left when this has its bound waits for a turn."""
        parts: list[bytes | memoryview] = []
        budget, without_room = BURST, 0
        while without_room < len(self._sending) and self._window > 0 and not self._paused:
            if budget <= 0:
                self._more = True
                break
            stream = self._sending.popleft()
            if stream.number not in self._streams:
                continue
            sent = self._body(stream, budget, parts)
            without_room = 0 if sent else without_room + 1
            budget -= sent
            if stream.body:
                self._sending.append(stream)
            else:
                self._body_sent(stream, parts)
        return parts

    def _body_sent(self, stream: S, parts: list[bytes | memoryview]) -> None:
        """All of a body that had to wait is among the parts."""

    def _body(self, stream: S, most: int, parts: list[bytes | memoryview]) -> int:
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
            parts.insert(place, head(Kind.DATA, 0 if body else self.last_flag, stream.number, length))
            self._window -= length
            stream.window -= length
            sent += length
        return sent

    # How it ends.

    def _reset(self, number: int, code: Code) -> None:
        """Tell the other side that nothing more comes or is wanted of a stream."""
        if not self.closed.done():
            self._write(frame(Kind.RST_STREAM, 0, number, code.to_bytes(4, "big")))

    def _give_up(self, why: str) -> None:
        self._end(why)
        if self._transport is not None:
            self._transport.abort()


def check_window(window: int) -> None:
    """Raise `FrameError` where a window is larger than HTTP/2 has it."""
    if window > LARGEST_WINDOW:
        raise FrameError(f"it opens a window of {window} bytes")
