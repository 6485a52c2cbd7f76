"""That the tools of the chaos do what they say: a fault that is none would prove nothing."""

from __future__ import annotations

import asyncio
from collections import Counter

from pace import Pace
from scene import Outcome
from table import table


async def test_an_event_is_waited_for_and_the_next_round_comes_after_it() -> None:
    pace = Pace(10, 2)
    pace.release()
    reached = asyncio.create_task(pace.reached(3))
    for _ in range(3):
        assert not reached.done()
        await pace.turn()
    await reached
    assert pace.next_round() == 5


def test_events_come_the_more_slowly_the_fewer_are_left_before_the_fault_is_over() -> None:
    pace = Pace(160, 2)
    first = pace.pause()
    pace.given = 24
    assert pace.pause() > first
    pace.hurry()
    assert pace.pause() < first * 4


def test_the_table_has_a_line_for_each_scene() -> None:
    played = Outcome("kill -9", 200, 603, Counter({"connection lost": 3}), [0.1, 0.25], 3.21, {})
    head, line = table([played])
    assert head.startswith("scene")
    assert line.split("  ")[0] == "kill -9"
    assert "3 connection lost" in line
    assert "0.250 s of 2" in line
