"""HTTP/2 frames (RFC 9113): made of parts, and read from a stream of bytes. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "PREFACE",
    "Flag",
    "FrameError",
    "Kind",
    "Reader",
    "Setting",
    "frame",
    "head",
    "settings",
    "settings_of",
    "unpadded",
]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
MOST_BYTES: Final = 1 << 20
"""Of a frame other than DATA; ours allow 16 KiB, a header block may take several."""
_HEAD: Final = struct.Struct(">BHBBI")
_SETTING: Final = struct.Struct(">HI")


class Kind(IntEnum):
    """Types of frames."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntFlag):
    """Flags; ACK has the number of END_STREAM, in other frames."""

    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4
    PADDED = 8
    PRIORITY = 32


class Setting(IntEnum):
    """Settings that matter to a client."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5


class FrameError(Exception):
    """The other side does not keep to the protocol."""


def head(kind: int, flags: int, stream: int, length: int) -> bytes:
    """The nine bytes before a frame's payload."""
    return _HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return head(kind, flags, stream, len(payload)) + payload


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in values.items()))


def settings_of(payload: bytes) -> dict[int, int]:
    """The values of a SETTINGS frame."""
    if len(payload) % _SETTING.size:
        raise FrameError("a SETTINGS frame has no whole number of settings")
    return dict(_SETTING.iter_unpack(payload))


def unpadded(flags: int, payload: bytes) -> bytes:
    """The payload of a HEADERS frame without padding and priority."""
    start, end = 0, len(payload)
    if flags & Flag.PADDED:
        if not payload:
            raise FrameError("a padded frame is empty")
        start, end = 1, end - payload[0]
    if flags & Flag.PRIORITY:
        start += 5
    if start > end:
        raise FrameError("a frame is shorter than its padding")
    return payload[start:end]


class Reader:
    """Takes bytes as they come and gives frames: those with DATA at once, in as many parts as there are.

    Each is (kind, flags, stream, payload); a part of a DATA frame that is not its last has no flags.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._flags = self._stream = 0
        self._data = 0
        """Bytes of the DATA frame that are still to come, with its padding."""
        self._padding = 0
        self.consumed = 0
        """Bytes of DATA so far that count for flow control."""

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, bytes | memoryview]]:
        """The frames that are whole with these bytes; raises `FrameError`."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        view, place, size = memoryview(data), 0, len(data)
        while place < size:
            if self._data:
                part = min(self._data, size - place)
                wanted = min(part, max(self._data - self._padding, 0)) if self._padding else part
                self._data -= part
                self.consumed += part
                yield Kind.DATA, 0 if self._data else self._flags, self._stream, view[place : place + wanted]
                place += part
                continue
            if size - place < HEADER_BYTES:
                break
            high, low, kind, flags, stream = _HEAD.unpack_from(data, place)
            length, stream = high << 16 | low, stream & 0x7FFFFFFF
            start = place + HEADER_BYTES
            if kind == Kind.DATA and not flags & Flag.PADDED:
                place, self._data, self._padding = start, length, 0
                self._flags, self._stream = flags, stream
                if not length:
                    yield kind, flags, stream, b""
                continue
            if kind == Kind.DATA:
                if size == start:
                    break
                padding = data[start]
                if padding >= length:
                    raise FrameError("a DATA frame is shorter than its padding")
                self.consumed += 1
                place, self._data, self._padding = start + 1, length - 1, padding
                self._flags, self._stream = flags, stream
                if not self._data:
                    yield kind, flags, stream, b""
                continue
            if length > MOST_BYTES:
                raise FrameError(f"a frame of {length} bytes, perhaps of another protocol")
            if size - start < length:
                break
            place = start + length
            yield kind, flags, stream, data[start:place]
        self._rest = data[place:]
