"""Events per second of late. Told the time, so that it can be tested without waiting."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["EVERY", "RecentRate"]

EVERY: Final = 1.0
"""Seconds between two samples."""
WINDOW: Final = 10
"""Samples that are kept, the bound of the memory and the window of the rate."""


class RecentRate:
    """The rate of a growing count over the last samples."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def sample(self, time: float, count: int) -> None:
        """Remember the count at a time, in seconds."""
        self._samples.append((time, count))

    def per_second(self, time: float, count: int) -> float:
        """The rate from the oldest sample that is kept until now; 0 before there is one."""
        if not self._samples:
            return 0.0
        then, counted = self._samples[0]
        return (count - counted) / (time - then) if time > then else 0.0

    def __repr__(self) -> str:
        return f"RecentRate({len(self._samples)} samples)"
