"""The clock of the framework's code, in virtual time.

Its modules import `monotonic` and `perf_counter` by name and call them as such, which costs nothing more than the
clock itself; virtual time puts its own in their place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Final
from unittest.mock import patch

__all__ = ["patched_clocks"]

CLOCKS: Final = ("monotonic", "perf_counter")


@contextmanager
def patched_clocks(clock: Callable[[], float]) -> Generator[None]:
    """The clocks that modules of eventbraid have imported by name are this one, for as long as the context lasts."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("eventbraid."):
                for each in CLOCKS:
                    if hasattr(module, each):
                        stack.enter_context(patch.object(module, each, clock))
        yield
