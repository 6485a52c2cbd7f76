"""HTTP/2 frames (RFC 9113): made of parts, and read from a stream of bytes. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

__all__ = [
    "FRAME_BYTES",
    "LARGEST_FRAME",
    "LARGEST_WINDOW",
    "PREFACE",
    "Code",
    "Flag",
    "FrameError",
    "Kind",
    "Reader",
    "Setting",
    "code_of",
    "foreign",
    "frame",
    "goodbye",
    "head",
    "headers",
    "settings",
    "settings_of",
    "unpadded",
    "wants_tls",
    "window_update",
    "word",
]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
FRAME_BYTES: Final = 1 << 14
"""The largest payload that a side takes which has said nothing else."""
LARGEST_FRAME: Final = 1 << 20
"""That which we take, and the largest one that we send: a frame costs as much whatever its size."""
LARGEST_WINDOW: Final = (1 << 31) - 1
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


class Flag(IntEnum):
    """Flags; ACK has the number of END_STREAM, in other frames. Their combinations are plain numbers, for speed."""

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


class Code(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class FrameError(Exception):
    """The other side does not keep to the protocol."""


def head(kind: int, flags: int, stream: int, length: int) -> bytes:
    """The nine bytes before a frame's payload."""
    return _HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return head(kind, flags, stream, len(payload)) + payload


def headers(stream: int, block: bytes, most: int) -> bytes:
    """A header block in frames of at most so many bytes: HEADERS, and CONTINUATION where it does not fit."""
    if len(block) <= most:
        return head(Kind.HEADERS, Flag.END_HEADERS, stream, len(block)) + block
    return b"".join(
        frame(
            Kind.CONTINUATION if place else Kind.HEADERS,
            0 if place + most < len(block) else Flag.END_HEADERS,
            stream,
            block[place : place + most],
        )
        for place in range(0, len(block), most)
    )


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in values.items()))


def settings_of(payload: bytes) -> dict[int, int]:
    """The values of a SETTINGS frame."""
    if len(payload) % _SETTING.size:
        raise FrameError("a SETTINGS frame has no whole number of settings")
    values = dict(_SETTING.iter_unpack(payload))
    window = values.get(Setting.INITIAL_WINDOW_SIZE, 0)
    if window > LARGEST_WINDOW:
        raise FrameError(f"it sets a window of {window} bytes")
    most = values.get(Setting.MAX_FRAME_SIZE, FRAME_BYTES)
    if not FRAME_BYTES <= most < 1 << 24:
        raise FrameError(f"it sets frames of at most {most} bytes")
    return values


def window_update(stream: int, more: int) -> bytes:
    """A frame that gives the other side more room, on a stream or on the connection (0)."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))


def word(payload: bytes) -> int:
    """The number of a RST_STREAM or WINDOW_UPDATE frame."""
    if len(payload) != 4:
        raise FrameError(f"{len(payload)} bytes stand where a number should be")
    return int.from_bytes(payload, "big")


def goodbye(payload: bytes) -> tuple[int, str]:
    """Of a GOAWAY frame, the last stream that is answered, and why."""
    if len(payload) < 8:
        raise FrameError("a GOAWAY frame is cut short")
    code, text = code_of(int.from_bytes(payload[4:8], "big")), payload[8:].decode(errors="replace")
    return int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, f"{code}: {text}" if text else code


def code_of(number: int) -> str:
    """The name of a code, or its number where it has none."""
    return Code(number).name if number <= max(Code) else str(number)


def foreign(start: bytes) -> str:
    """What a peer speaks that does not begin as HTTP/2 does."""
    if start.startswith(b"HTTP/1"):
        return "it speaks HTTP/1: is this its port for gRPC?"
    if wants_tls(start):
        return "it speaks TLS"
    return f"it begins with {start[:24]!r}"


def wants_tls(start: bytes) -> bool:
    """True where a peer begins with an alert of TLS."""
    return start.startswith(b"\x15\x03")


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
        self.rest = b""
        """The beginning of a frame, or what was said where HTTP/2 is not spoken."""
        self._begun = False
        self._flags = self._stream = 0
        self._data = 0
        """Bytes of the DATA frame that are still to come, with its padding."""
        self._padding = 0
        self.consumed = 0
        """Bytes of DATA so far that count for flow control."""

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, bytes | memoryview]]:
        """The frames that are whole with these bytes; raises `FrameError`."""
        if self.rest:
            data = self.rest + data
            self.rest = b""
        if not self._begun and len(data) >= HEADER_BYTES:
            if data[3] != Kind.SETTINGS or data[4] & Flag.ACK or data[5:9] != bytes(4):
                self.rest = data
                raise FrameError(foreign(data))
            self._begun = True
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
            if length > LARGEST_FRAME:
                raise FrameError(f"a frame of {length} bytes, where {LARGEST_FRAME} are allowed")
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
            if size - start < length:
                break
            place = start + length
            yield kind, flags, stream, data[start:place]
        self.rest = data[place:]
