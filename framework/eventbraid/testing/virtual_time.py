"""An event loop on which time does not pass but jumps: tests of seconds take none, and always go the same way."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import wraps
from typing import Any, Self, TypeVar

from eventbraid.testing.clocks import patched_clocks

__all__ = ["VirtualLoop", "VirtualTime", "in_virtual_time"]

T = TypeVar("T")

MOST_SECONDS = 10_000.0
"""A test that takes longer waits for what never comes."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Where nothing is to be done now, it is later."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        """How often it has looked what is to be done."""
        self.at_turn: dict[int, Callable[[], object]] = {}
        """What is to be done in between."""
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.turns += 1
        if work := self._loop.at_turn.pop(self._loop.turns, None):
            work()
            return super().select(0)
        if timeout is None or self._loop.now > MOST_SECONDS:
            raise AssertionError("nobody will ever end what the test waits for")
        self._loop.now += max(timeout, 0.0)
        return super().select(0)


class VirtualTime:
    """Such a loop, whose time is that of the client too, for as long as the context lasts."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self._stack = ExitStack()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end; what it has started stays until the next time."""
        return self._runner.run(work)

    def __enter__(self) -> Self:
        self._stack.enter_context(patched_clocks(self.loop.time))
        self._runner = self._stack.enter_context(asyncio.Runner(loop_factory=lambda: self.loop))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test, in virtual time."""

    @wraps(test)
    def run(*args: Any, **more: Any) -> None:
        with VirtualTime() as time:
            time.run(test(*args, **more))

    return run
