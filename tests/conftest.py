"""What every test is held to: it leaves no task, no thread pool and no process behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), max_examples=2000, print_blob=True)
settings.register_profile("soak", parent=settings.get_profile("default"), max_examples=20_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def children() -> set[int]:
    """The process ids of our children (on Linux; elsewhere nothing is known)."""
    found: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {int(pid) for pid in file.read_text().split()}
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a task or a process behind."""
    before = children()
    yield
    left = children() - before
    kept = {pid for pid in left if "multiprocessing" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")}
    assert not left - kept, f"the test left processes behind: {sorted(left - kept)}"
    tasks = (
        [task for task in gc.get_objects() if isinstance(task, asyncio.Task) and not task.done()]
        if _asks(request)
        else []
    )
    assert not tasks, f"the test left tasks behind: {tasks}"


def _asks(request: pytest.FixtureRequest) -> bool:
    """Looking for tasks takes a while: only tests that may have started some are searched."""
    return "asyncio" in request.keywords or "tasks" in request.keywords
