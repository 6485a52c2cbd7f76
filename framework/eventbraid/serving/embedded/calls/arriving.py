"""Messages that are being received: gRPC keeps their parts in memory, and tells their size when all is there."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Final

from eventbraid.serving.embedded.calls.budget import Budget, full

__all__ = ["Arriving", "resident", "to_refuse"]

TICK_SECONDS: Final = 0.02
LARGE: Final = 1 << 20
"""Bytes of a message that takes a while."""
_STATM: Final = "/proc/self/statm"


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell."""
    try:
        with open(_STATM, "rb") as file:  # noqa: PTH123  # fifty times a second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@cache
def _trim() -> Callable[[int], Any]:
    """What gives memory that is free back to the system, with glibc."""
    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)


def to_refuse(slow: Sequence[Any]) -> Sequence[Any]:
    """Of what is being received, the oldest first: the younger half, and never the first of all.

    Whose parts fill the memory is not known. gRPC bounds each message, so one alone can be let through.
    """
    return slow[(len(slow) + 1) // 2 :]


class Arriving:
    """Refuses messages while they are received, where they and what the budget knows are more than it allows.

    They are what the process has grown by since none was being received; only those count that take long.
    """

    def __init__(self, budget: Budget, grown_to: Callable[[], int] = resident) -> None:
        self._budget = budget
        self._grown_to = grown_to
        self._base = grown_to()
        self._reading: dict[asyncio.Task[Any], None] = {}
        self._slow: list[asyncio.Task[Any]] = []
        self._refused: dict[asyncio.Task[Any], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Arriving({len(self._reading)} messages)"

    async def receive(self, reading: Awaitable[Any]) -> Any:
        """A message; raises `ModelFailure` where it is refused."""
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self.look)
        try:
            message = await reading
        except asyncio.CancelledError:
            grown = self._refused.pop(task, None)
            if grown is None or task.uncancel():
                raise
            what = f"requests, and what is being received of others, take {grown} bytes of {self._budget.most}"
            raise full(what) from None
        finally:
            del self._reading[task]
        if isinstance(message, bytes) and len(message) > LARGE:
            self.look()  # the next ones would be there before it is time
        return message

    def look(self) -> None:
        """Refuse what is too much."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        budget = self._budget
        grown = self._grown_to() - self._base
        self._slow = [each for each in self._slow if each in self._reading and each not in self._refused]
        if grown > budget.most and self._slow:
            _trim()(0)  # what is free already is no message
            grown = self._grown_to() - self._base
        if not self._reading or (grown > budget.most and not self._slow):
            self._base += grown - budget.taken
        elif grown > budget.most:
            for each in to_refuse(self._slow):
                self._refused[each] = grown
                each.cancel()
        self._slow = [each for each in self._reading if each not in self._refused]
        if self._reading:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self.look)
