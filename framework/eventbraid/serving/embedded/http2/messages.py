"""gRPC's messages as they come: each after five bytes that say whether it is compressed, and how long it is. Pure."""

from __future__ import annotations

import zlib
from collections import deque
from typing import Final

from eventbraid.serving.backends.failure import ModelFailure

__all__ = ["PREFIX", "Messages", "prefixed"]

PREFIX: Final = 5
SHARED: Final = 1 << 16
"""A smaller part is copied while it waits for others: it would keep all that came with it."""
WBITS: Final = {"gzip": 31, "deflate": 15}
"""Deflate is zlib's form of it."""


def prefixed(message: bytes) -> tuple[bytes, bytes]:
    """A message and what stands before it."""
    return b"\0" + len(message).to_bytes(4, "big"), message


class Messages:
    """Those of one call: parts are taken as they come, whole messages are in `ready`."""

    __slots__ = ("_encoding", "_have", "_most", "_need", "_parts", "ready")

    def __init__(self, most: int, encoding: str) -> None:
        self._most, self._encoding = most, encoding
        self._parts: list[bytes | memoryview] = []
        self._have = 0
        self._need = -1
        """Bytes of the message that comes, with those before it; -1 where its length is not known yet."""
        self.ready: deque[bytes] = deque()

    @property
    def incomplete(self) -> int:
        """Bytes that are here of a message that is not whole."""
        return self._have

    def take(self, part: bytes | memoryview) -> None:
        """Take what comes next; raises `ModelFailure` for a message that is too long, or cannot be read."""
        if not self._have and len(part) >= PREFIX and self._length(part) == len(part):
            self.ready.append(self._plain(part[0], bytes(part[PREFIX:])))
            return
        self._parts.append(part)
        self._have += len(part)
        while self._have >= PREFIX:
            if self._need < 0:
                self._need = self._length(self._start())
            if self._have < self._need:
                break
            self._cut()
        if self._parts and len(self._parts[-1]) < SHARED:
            self._parts[-1] = bytes(self._parts[-1])

    def _start(self) -> bytes | memoryview:
        if len(self._parts[0]) < PREFIX:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def _length(self, start: bytes | memoryview) -> int:
        length = int.from_bytes(start[1:PREFIX], "big")
        if length > self._most:
            said = f"Received message larger than max ({length} vs. {self._most})"
            raise ModelFailure(said, "RESOURCE_EXHAUSTED")
        return PREFIX + length

    def _cut(self) -> None:
        """Move the message that is whole to `ready`."""
        over = self._have - self._need
        start = self._start()
        parts: list[bytes | memoryview] = [memoryview(start)[PREFIX:], *self._parts[1:]]
        rest: list[bytes | memoryview] = []
        if over:
            last = memoryview(parts.pop())
            parts.append(last[: len(last) - over])
            rest = [last[len(last) - over :]]
        self._parts, self._have, self._need = rest, over, -1
        self.ready.append(self._plain(start[0], b"".join(parts)))

    def _plain(self, compressed: int, message: bytes) -> bytes:
        if not compressed:
            return message
        if self._encoding not in WBITS:
            said = f"the request is compressed as {self._encoding or 'nobody says'}: expected gzip, deflate"
            raise ModelFailure(said, "UNIMPLEMENTED")
        engine = zlib.decompressobj(WBITS[self._encoding])
        try:
            plain = engine.decompress(message, self._most)
        except zlib.error as error:
            raise ModelFailure(f"the request cannot be decompressed: {error}", "INTERNAL") from None
        if engine.unconsumed_tail:
            said = f"Received message larger than max (compressed, more than {self._most})"
            raise ModelFailure(said, "RESOURCE_EXHAUSTED")
        return plain
