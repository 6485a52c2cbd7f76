"""What every test is held to: it leaves no task, no thread pool and no process behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from eventbraid.course import Rules
from eventbraid.states import CheckedStates

Rules.states = CheckedStates  # no test may see a change of state that the table does not allow

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


SHARED = ("multiprocessing", "tritonserver")
"""What a session keeps for several tests, and ends itself."""


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a task or a process behind."""
    before, tasks_before = children(), tasks()
    yield
    left = {pid: command_line(pid) for pid in children() - before}
    left = {pid: line for pid, line in left.items() if not any(name in line for name in SHARED)}
    assert not left, f"the test left processes behind: {left}"
    forgotten = tasks() - tasks_before
    assert not forgotten, f"the test left tasks behind: {forgotten}"


def tasks() -> set[asyncio.Task[object]]:
    """All tasks of whatever loop that are not done."""
    known = getattr(asyncio.tasks, "_scheduled_tasks", None)  # 3.12 and later
    found = list(known if known is not None else asyncio.tasks._all_tasks)  # type: ignore[attr-defined]
    return {task for task in found if not task.done()}
