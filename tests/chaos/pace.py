"""How fast a job gets its events: so that it is at work for as long as it is being disturbed, and no longer."""

from __future__ import annotations

import asyncio
import contextlib

BURST = 8
"""Events that come together: several requests are always under way."""
PAUSE = 0.01
"""Seconds an event, at the beginning of a round."""
HURRY = 0.02
"""Seconds an event, where the job must not want for events."""


class Pace:
    """Gives events out in bursts, in `rounds` parts of the same size.

    In the first half of a round they come the more slowly the fewer are left of it, and so there is always a next one;
    the second half is for the time from `hurry` on, when they come one by one at an even pace. After `release` nothing
    waits any more.
    """

    def __init__(self, events: int, rounds: int) -> None:
        self.events, self.rounds = events, rounds
        self.given = 0
        self._round = 1
        self._hurried = False
        self._changed = asyncio.Event()
        self._released = False
        self._turn = asyncio.Lock()
        self._awaited: dict[int, asyncio.Event] = {}

    @property
    def size(self) -> int:
        """Events in a round."""
        return self.events // self.rounds

    def pause(self) -> float:
        """Seconds before the next event."""
        if self._released:
            return 0.0
        if self._hurried:
            return HURRY
        if self.given % BURST:
            return 0.0
        left = self._round * self.size - self.size // 2 - self.given
        return BURST * PAUSE * self.size / max(left, 0.5)

    async def turn(self) -> None:
        """Wait for the turn of an event."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            since = loop.time()
            while (left := since + self.pause() - loop.time()) > 0:
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._changed.wait()
            self.given += 1
            if awaited := self._awaited.get(self.given):
                awaited.set()

    async def reached(self, number: int) -> None:
        """Wait until so many have been given out."""
        if number > self.given:
            await self._awaited.setdefault(number, asyncio.Event()).wait()

    def next_round(self) -> int:
        """Begin the next part; gives how many come before it."""
        self._round += 1
        self._hurried = False
        self._changed.set()
        return (self._round - 1) * self.size

    def hurry(self) -> None:
        """Give out what is left of this round, and then of all, at an even pace."""
        self._hurried = True
        self._changed.set()

    def release(self) -> None:
        """Give out all that is left at once."""
        self._released = True
        self._changed.set()
