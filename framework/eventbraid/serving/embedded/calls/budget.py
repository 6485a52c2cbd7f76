"""The memory that requests and answers may take at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from eventbraid.serving.backends.failure import ModelFailure

__all__ = ["Budget", "full", "half_of_memory"]


def half_of_memory() -> int:
    """Bytes: half of what this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def full(why: str) -> ModelFailure:
    """What a request is told for which there is no room."""
    return ModelFailure(f"the server's memory is full: {why}", "RESOURCE_EXHAUSTED")


class Budget:
    """Bytes that are there for all requests and answers together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._kept: Counter[str] = Counter()
        """Bytes of the answers that a client has not taken yet."""

    def __repr__(self) -> str:
        return f"Budget({self.taken} of {self.most} bytes)"

    @contextmanager
    def room(self, nbytes: int, what: str = "request") -> Generator[None]:
        """For a request while it is answered; raises `ModelFailure` where there is none."""
        self.take(nbytes, what)
        try:
            yield
        finally:
            self.give(nbytes)

    def keep(self, nbytes: int, client: str) -> Callable[[], None]:
        """Make room for an answer until its client has taken it, which the result is to be called for.

        Raises `ModelFailure` where there is none, and where what a client has not taken would be more than half of all.
        """
        kept = self._kept[client]
        if kept and kept + nbytes > self.most // 2:
            raise full(f"this client has not taken {kept} bytes of answers, and the next one needs {nbytes}")
        self.take(nbytes, "answer")
        self._kept[client] += nbytes

        def taken() -> None:
            self.give(nbytes)
            self._kept[client] -= nbytes
            if not self._kept[client]:
                del self._kept[client]

        return taken

    def take(self, nbytes: int, what: str) -> None:
        """Until they are given back; raises `ModelFailure` where so many are not free."""
        if self.taken + nbytes > self.most:
            raise full(f"the {what} needs {nbytes} bytes, {self.most - self.taken} of {self.most} are free")
        self.taken += nbytes

    def give(self, nbytes: int) -> None:
        """They are free again."""
        self.taken -= nbytes
