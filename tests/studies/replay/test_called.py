"""A job's modules called by themselves, without a scheduler."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventbraid import ConfigurationError, Event, ExternalProducer, Input, Job, Output, Producer
from eventbraid.studies.replay.called import called_per_second
from eventbraid.testing import ListSource


class Doubled(Producer):
    """Says each number that it doubles."""

    kind = "shared"
    x = Input[int]("x")
    y = Output[int]()

    def __init__(self, said: list[int]) -> None:
        super().__init__()
        self.said = said

    async def produce(self, event: Event) -> None:
        event[self.y] = 2 * event[self.x]
        self.said.append(2 * event[self.x])


class Remote(ExternalProducer[int, int]):
    """Its result is what it acquired, where nobody works for it."""

    kind = "shared"
    y = Input[int]("doubled")
    z = Output[int]()

    def __init__(self, said: list[int]) -> None:
        super().__init__()
        self.said = said

    def acquire(self, event: Event) -> int:
        return event[self.y] + 1

    async def external_work(self, acquired: int) -> int:
        raise AssertionError

    def produce(self, event: Event, result: int) -> None:
        event[self.z] = result
        self.said.append(result)


class Waits(Producer):
    """Awaits something in its own step."""

    async def produce(self, event: Event) -> None:
        await asyncio.sleep(0)


def job(events: int, **modules: Any) -> Job:
    source = ListSource([{"x": n} for n in range(events)])
    return Job("t", source=source, modules=modules, paths={"all": list(modules)})


def test_modules_are_called_in_the_order_of_the_plan_for_so_many_events() -> None:
    said: list[int] = []
    assert called_per_second(job(5, doubled=Doubled(said), remote=Remote(said)), 3) > 0
    assert said == [0, 1, 2, 3, 4, 5]


def test_a_module_that_awaits_in_its_own_step_cannot_be_called_by_itself() -> None:
    with pytest.raises(ConfigurationError, match="module 'waits': awaits something"):
        called_per_second(job(1, waits=Waits()), 1)
