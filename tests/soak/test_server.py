"""The embedded server under mixed clients and faults for a long time: `make soak-server`."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))
sys.path.insert(0, str(Path(__file__).parent))
from crowd import Crowd, let_in
from work import models

from eventbraid.serving import EmbeddedServer

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
EVERY = max(SECONDS / 120, 0.5)
"""Seconds from one look at the memory to the next."""
WARM = 0.25
"""Of the time, after which memory must not grow any more."""


def resident(pid: int) -> float:
    """Megabytes that a process has in memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS"))


def growth(megabytes: list[float]) -> float:
    """By how much the last quarter is above the second one, as medians, MB."""
    quarter = len(megabytes) // 4
    return statistics.median(megabytes[-quarter:]) - statistics.median(megabytes[quarter : 2 * quarter])


def test_growth_is_that_from_the_second_quarter_to_the_last() -> None:
    assert growth([1.0] * 4 + [10.0] * 4 + [12.0] * 4 + [13.0] * 4) == 3.0


@pytest.mark.slow
async def test_memory_stays_flat_and_no_request_is_unanswered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[float] = []
    async with EmbeddedServer([models(tmp_path)]) as server:
        assert server.pid is not None
        crowd = Crowd(server.address)

        async def watch(pid: int) -> None:
            loop = asyncio.get_running_loop()
            end = loop.time() + SECONDS
            while loop.time() < end and not crowd.over:
                await asyncio.sleep(EVERY)
                seen.append(resident(pid))
            crowd.over = True

        async with asyncio.TaskGroup() as group:
            group.create_task(let_in(crowd))
            group.create_task(watch(server.pid))
    with capsys.disabled():
        print(f"\n{SECONDS:.0f} s: {sum(crowd.outcomes.values())} requests")
        for (client, outcome), count in sorted(crowd.outcomes.items()):
            print(f"  {client:16} {outcome:10} {count:9}")
        quarters = [seen[n * len(seen) // 4] for n in range(4)]
        told = ", ".join(f"{each:.1f}" for each in (*quarters, seen[-1]))
        print(f"  resident MB at 0, 1/4, 1/2, 3/4, 1: {told}; growth {growth(seen):+.1f}")
    assert crowd.counted("unanswered") == 0
    assert crowd.counted("wrong") == 0
    assert crowd.counted("answered") > 100
    assert growth(seen) < 0.03 * seen[-1], seen
