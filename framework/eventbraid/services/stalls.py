"""How long an event loop did not run: whatever holds it up, nothing else in the process is served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Final, Protocol, Self

__all__ = ["LONG_SECONDS", "Stalls"]

BEAT_SECONDS: Final = 0.005
LONG_SECONDS: Final = 0.05
"""Stalls of more than that are counted."""


class _Handle(Protocol):
    def cancel(self) -> None: ...


class _Loop(Protocol):
    def call_later(self, delay: float, callback: Callable[[], None], /) -> _Handle: ...


class Stalls:
    """A heartbeat on the running loop, `with Stalls() as stalls: ...`: by how much it is late, the loop stood still.

    A stall is seen without its first part, up to the next beat: `beat` seconds at most.
    """

    def __init__(
        self,
        beat: float = BEAT_SECONDS,
        *,
        clock: Callable[[], float] = perf_counter,
        cpu_clock: Callable[[], float] = thread_time,
    ) -> None:
        self.count = 0
        """Stalls of more than `LONG_SECONDS`."""
        self.longest = 0.0
        """Seconds of the longest one."""
        self.longest_at = 0.0
        """When it was over, in seconds since the first start."""
        self.longest_cpu = 0.0
        """Seconds of it for which the loop's thread computed; else it waited for a lock, or for a core."""
        self._beat, self._clock, self._cpu_clock = beat, clock, cpu_clock
        self._loop: _Loop | None = None
        self._next: _Handle | None = None
        self._began: float | None = None
        self._due = self._cpu = 0.0

    def __repr__(self) -> str:
        return f"Stalls({self.count} of more than {LONG_SECONDS:g} s, the longest {self.longest:.3f} s)"

    def start(self, loop: _Loop | None = None) -> None:
        """Begin on a loop, the running one by default; once begun, again is harmless."""
        if self._loop is not None:
            return
        self._loop = loop if loop is not None else asyncio.get_running_loop()
        if self._began is None:
            self._began = self._clock()
        self._wait(self._loop)

    def stop(self) -> None:
        """End, and count what has kept the loop from this very call; again is harmless."""
        if self._next is None:
            return
        self._look()
        self._next.cancel()
        self._next = self._loop = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _wait(self, loop: _Loop) -> None:
        self._due, self._cpu = self._clock() + self._beat, self._cpu_clock()
        self._next = loop.call_later(self._beat, self._run)

    def _run(self) -> None:
        if self._loop is not None:
            self._look()
            self._wait(self._loop)

    def _look(self) -> None:
        assert self._began is not None
        now = self._clock()
        late = now - self._due
        self.count += late > LONG_SECONDS
        if late > self.longest:
            self.longest, self.longest_at = late, now - self._began
            self.longest_cpu = min(self._cpu_clock() - self._cpu, late)
