"""Bytes that are changed on their way. Pure."""

from __future__ import annotations

import math
from random import Random
from typing import Final

__all__ = ["Garbler", "flip"]

NEVER: Final = 1 << 63


def flip(data: bytes, count: int, random: Random) -> bytes:
    """The same with so many bytes changed, at places that are drawn; all of them where there are fewer."""
    changed = bytearray(data)
    for place in random.sample(range(len(data)), min(count, len(data))):
        changed[place] ^= random.randrange(1, 256)
    return bytes(changed)


class Garbler:
    """Changes a share of the bytes of a stream; which ones does not depend on the pieces in which they come."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._share = 0.0
        self._gap = NEVER
        """Bytes before the next that is changed."""

    def pass_on(self, data: bytes, share: float) -> bytes:
        """The next bytes, each changed with the probability `share`, which may be another one each time."""
        if share != self._share:
            self._share, self._gap = share, self._draw(share)
        if self._gap >= len(data):
            self._gap -= len(data)
            return data
        changed, place = bytearray(data), self._gap
        while place < len(changed):
            changed[place] ^= self._random.randrange(1, 256)
            place += 1 + self._draw(share)
        self._gap = place - len(changed)
        return bytes(changed)

    def _draw(self, share: float) -> int:
        """How many bytes stay as they are before the next that does not."""
        if share <= 0:
            return NEVER
        if share >= 1:
            return 0
        return int(min(math.log(1 - self._random.random()) / math.log1p(-share), NEVER))
