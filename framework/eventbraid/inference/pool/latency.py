"""How long a server takes to answer, as far as that is known now. Pure: told the time."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Latency"]

SMOOTHING: Final = 0.1
"""Weight of the newest answer in the mean; more after a silence, the longer that was."""
MOST_BLAME: Final = 64
"""By how much a server whose answers are no good seems slower than it is, at most."""
HALF_LIFE: Final = 1.0
"""Seconds without a question in which a server comes to seem twice as fast: else one that was slow once is never asked
again, and nobody sees that it has recovered."""


class Latency:
    """The mean of the latest answers of a model on a server. Times and latencies are in seconds, of one clock."""

    __slots__ = ("_asked", "_blame", "_mean", "_weight")

    def __init__(self) -> None:
        self.forget()

    def __repr__(self) -> str:
        return f"Latency({self._mean * 1e3:.3f} ms{f', blamed {self._blame} x' if self._blame > 1 else ''})"

    def forget(self) -> None:
        """Know nothing: it may be another server than before."""
        self._mean, self._blame, self._asked, self._weight = 0.0, 1, 0.0, SMOOTHING

    def asked(self, now: float) -> None:
        """A request goes to it."""
        forgotten = 1.0 - self._left(now)
        if forgotten > self._weight:
            self._weight = forgotten
        self._asked = now

    def took(self, seconds: float) -> None:
        """An answer took so long."""
        self._mean += (seconds - self._mean) * self._weight if self._mean else seconds
        self._weight = SMOOTHING

    def failed(self) -> None:
        """An answer was no good: others are asked before."""
        self._blame = min(2 * self._blame, MOST_BLAME)

    def did_well(self) -> None:
        """An answer was good."""
        if self._blame > 1:
            self._blame //= 2

    def expected(self, now: float) -> float:
        """What an answer would take: more where answers were no good, less the longer none was asked for, 0 where
        none is known."""
        if not self._mean:
            return 0.0
        return self._mean * self._blame * self._left(now)

    def _left(self, now: float) -> float:
        """How much of what is known counts still."""
        return math.exp2((self._asked - now) / HALF_LIFE)
