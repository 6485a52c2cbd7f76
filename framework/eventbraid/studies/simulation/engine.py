"""Time that jumps: what is to happen, in the order of when and, at the same time, of when that was said."""

from __future__ import annotations

from collections.abc import Callable, Collection
from heapq import heappop, heappush
from typing import Any

__all__ = ["Engine"]


class Engine:
    """A discrete-event simulation; times are in seconds from 0 on."""

    __slots__ = ("_acts", "_number", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._number = 0
        self._acts: list[tuple[float, int, Callable[[Any], object], Any]] = []

    def __repr__(self) -> str:
        return f"Engine(at {self.now:.6f} s, {len(self._acts)} to come)"

    def at(self, when: float, act: Callable[[Any], object], what: Any) -> None:
        """Have `act(what)` called at a time, or now where that is over."""
        now = self.now
        self._number = number = self._number + 1
        heappush(self._acts, (when if when > now else now, number, act, what))

    def run(self, going: Collection[object]) -> None:
        """Until nothing is to happen any more, or nothing is left of what is `going` on."""
        acts = self._acts
        while acts and going:
            self.now, _, act, what = heappop(acts)
            act(what)
