"""Python's collector of garbage during a job: it passes over what was there before the first event.

A full collection looks at every object that may be part of a cycle: with all that a job imports 15 to 30 ms in
which no event goes on and no answer is taken. What exists when a job begins mostly exists until its end.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Generator

__all__ = ["passed_over"]

_lock = threading.Lock()
_users = 0


@contextlib.contextmanager
def passed_over() -> Generator[None]:
    """The objects of now are passed over until the last user ends; then all are collected as before."""
    global _users  # noqa: PLW0603  # there is one collector in a process
    with _lock:
        _users += 1
        if _users == 1:
            gc.freeze()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                gc.unfreeze()
