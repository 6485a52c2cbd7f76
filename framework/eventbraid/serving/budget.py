"""The memory that requests and answers may take at once."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

from eventbraid.serving.backends.failure import ModelFailure

__all__ = ["Budget", "half_of_memory"]


def half_of_memory() -> int:
    """Bytes: half of what this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class Budget:
    """Bytes that are there for all requests together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def __repr__(self) -> str:
        return f"Budget({self.taken} of {self.most} bytes)"

    @contextmanager
    def room(self, nbytes: int) -> Generator[None]:
        """For a request and its answer; raises `ModelFailure` where there is none."""
        if self.taken + nbytes > self.most:
            free = self.most - self.taken
            what = f"the server's memory is full: the request needs {nbytes} bytes, {free} of {self.most} are free"
            raise ModelFailure(what, "RESOURCE_EXHAUSTED")
        self.taken += nbytes
        try:
            yield
        finally:
            self.taken -= nbytes
