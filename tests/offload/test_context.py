"""Which context variables a step sees."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
from offloaded import BRAIDED, MODES, OFFLOADED, Away, Plain, Where, job, outcome

from eventbraid import Event

collision: ContextVar[str] = ContextVar("collision", default="none")


class Sees(Plain):
    """Notes the context in which it runs, and changes it."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__(Where())
        self.seen = seen

    def produce(self, event: Event) -> None:
        self.seen.append(collision.get())
        if self.offload:
            collision.set("changed")
        event[self.value] = 1


@MODES
@OFFLOADED
async def test_a_step_sees_the_context_of_the_caller(mode: Any, offload: bool) -> None:
    seen: list[str] = []
    collision.set("lead and lead")
    made, _ = job({"m": type("Either", (Sees,), {"offload": offload})(seen)}, 1)
    await outcome(made, mode)
    assert seen == ["lead and lead"]


@BRAIDED
async def test_what_a_step_changes_in_its_context_in_a_thread_is_its_own(mode: Any) -> None:
    seen: list[str] = []
    collision.set("lead and lead")
    made, _ = job({"one": Sees(seen), "two": Sees(seen)}, 5, streams=2)
    await outcome(made, mode)
    assert seen == ["lead and lead"] * 10


@pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
async def test_external_work_sees_the_context_of_the_caller(mode: Any) -> None:
    class Sees(Away):
        async def external_work(self, acquired: int) -> int:
            seen.append(collision.get())
            return acquired

    seen: list[str] = []
    collision.set("lead and lead")
    made, _ = job({"m": Sees(Where())})
    await outcome(made, mode)
    assert seen == ["lead and lead"] * 3
