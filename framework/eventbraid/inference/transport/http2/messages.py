"""gRPC's messages on the wire: five bytes that say whether it is compressed and how long it is, then itself. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from eventbraid.inference.transport.base import TransportError

__all__ = ["compressed", "message_of", "prefix"]

Part = bytes | memoryview
WBITS: Final = {"gzip": 31, "deflate": 15}
"""Deflate is zlib's form of it."""


def prefix(length: int, *, compressed: bool = False) -> bytes:
    """What stands before a message."""
    if length >= 1 << 32:
        raise TransportError("INVALID_ARGUMENT", f"the request has {length} bytes, and gRPC takes less than 4 GiB")
    return bytes((compressed,)) + length.to_bytes(4, "big")


def compressed(parts: Sequence[Part], encoding: str) -> bytes:
    """A message as gzip or deflate."""
    engine = zlib.compressobj(wbits=WBITS[encoding])
    return b"".join([*(engine.compress(part) for part in parts), engine.flush()])


def message_of(parts: Sequence[Part], encoding: str) -> bytes:
    """The one message of a unary answer; raises `TransportError` where it is none.

    `encoding` is that of the answer's own field. The parts are copied once.
    """
    if not parts or len(parts[0]) < 5:
        parts = [b"".join(parts)]
    first = memoryview(parts[0])
    whole = b"".join([first[5:], *parts[1:]])
    if len(first) < 5 or len(whole) != int.from_bytes(first[1:5], "big"):
        raise TransportError("INTERNAL", f"the answer of {sum(map(len, parts))} bytes is not one message")
    if not first[0]:
        return whole
    if encoding not in WBITS:
        raise TransportError("INTERNAL", f"the answer is compressed as {encoding or 'nobody says'}")
    try:
        return zlib.decompress(whole, WBITS[encoding])
    except zlib.error as error:
        raise TransportError("INTERNAL", f"the answer cannot be decompressed: {error}") from None
