"""Header blocks of gRPC calls (HPACK, RFC 7541): made as bytes, and read from them."""

from __future__ import annotations

from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.http2.frames import FrameError

__all__ = ["NO_TABLE", "TIMEOUT", "Decoder", "RequestDecoder", "literal"]

NO_TABLE: Final = b"\x20"
"""Before the first field of a connection: we remember none, whatever the other side allows later."""
TIMEOUT: Final = b"\x00\x0cgrpc-timeout"
"""The name of a field that is different in each call, as we write it."""
MOST_BYTES: Final = 1 << 20
"""Of the fields of a block: a status may come with a long text, such as a traceback."""
MOST_KNOWN: Final = 64
STATIC: Final = 61
"""Fields of HPACK's static table."""


def literal(name: bytes, value: bytes, *, secret: bool = False) -> bytes:
    """A field that we do not remember; a secret one no proxy may remember either."""
    return (b"\x10" if secret else b"\x00") + _length(len(name)) + name + _length(len(value)) + value


def _length(number: int) -> bytes:
    if number < 0x7F:
        return bytes((number,))
    groups = bytearray((0x7F,))
    number -= 0x7F
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


class Decoder:
    """Reads header blocks of one connection.

    A block of nothing but fields that both sides remember changes no memory, and comes again and again: it is
    read once. Every other block is read by hpack, and may change what the remembered numbers mean.
    """

    def __init__(self) -> None:
        self._hpack: Any = need_extra("hpack", "inference", "talking to an inference server")
        self._decoder: Any = self._hpack.Decoder(MOST_BYTES)
        self._known: dict[bytes, dict[str, str]] = {}

    def decode(self, block: bytes) -> dict[str, str]:
        """The fields by name; raises `FrameError`."""
        known = self._known.get(block)
        if known is not None:
            return known
        changes = not all(0x80 < byte < 0xFF for byte in block)
        if changes or len(self._known) >= MOST_KNOWN:
            self._known.clear()
        try:
            fields = {_text(name): _text(value) for name, value in self._decoder.decode(block, raw=True)}
        except self._hpack.HPACKError as error:
            raise FrameError(f"a header block cannot be read: {error}") from error
        if not changes:
            self._known[block] = fields
        return fields


class RequestDecoder(Decoder):
    """The same for a server: what our client says before its timeout is the same in each call, and read once."""

    def __init__(self) -> None:
        super().__init__()
        self._heads: dict[bytes, dict[str, str]] = {}

    def decode(self, block: bytes) -> dict[str, str]:
        """The fields by name; raises `FrameError`."""
        at = block.rfind(TIMEOUT)
        end = at + len(TIMEOUT)
        if at > 0 and end < len(block) and block[end] < 0x7F and end + 1 + block[end] == len(block):
            start = block[:at]
            known = self._heads.get(start)
            if known is None and independent(start) and len(self._heads) < MOST_KNOWN:
                known = self._heads[start] = super().decode(start)
            if known is not None:
                return {**known, "grpc-timeout": block[end + 1 :].decode("ascii", "replace")}
        return super().decode(block)


def independent(block: bytes) -> bool:
    """True where a block means the same whatever was said before, and changes nothing that is remembered."""
    place, size = 0, len(block)
    while place < size:
        first = block[place]
        place += 1
        if first & 0x80:
            if not 0 < first & 0x7F <= STATIC:
                return False
        elif first in (0x00, 0x10):
            for _ in range(2):
                if place >= size or block[place] & 0x7F == 0x7F:
                    return False  # a text of 127 bytes and more: seldom, and read as it is
                place += 1 + (block[place] & 0x7F)
        else:
            return False
    return place == size


def _text(raw: bytes) -> str:
    return bytes(raw).decode("utf-8", "replace")
