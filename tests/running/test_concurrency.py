"""Which calls go on at once, and what a module may use while they do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from small_modules import numbers

from eventbraid import Event, EventID, ExternalProducer, Input, Job, Output, Producer
from eventbraid.services import Listener
from eventbraid.testing import ListOutput, ListSource


def test_each_stream_has_a_copy_with_a_state_of_its_own() -> None:
    class Stateful(Producer):
        x = Input[int]("x")
        value = Output[int]()

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.inside = False

        async def produce(self, event: Event) -> None:
            assert not self.inside
            self.inside = True
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.inside = False
            event[self.value] = 1

    report = Job("t", source=numbers(50), modules={"s": Stateful()}, paths={"p": ["s"]}, streams=8).run()
    assert report.events.passed == 50


def _crowd(kind_: Any, limit_: int | None, resources_: tuple[str, ...] = ()) -> type[Producer]:
    class Crowd(Producer):
        kind = kind_
        limit = limit_
        resources = resources_
        x = Input[int]("x")
        value = Output[int]()
        inside = 0
        most = 0

        async def produce(self, event: Event) -> None:
            Crowd.inside += 1
            Crowd.most = max(Crowd.most, Crowd.inside)
            for _ in range(40):
                await asyncio.sleep(0)
            Crowd.inside -= 1
            event[self.value] = 1

    return Crowd


@pytest.mark.parametrize(
    ("kind", "limit", "resources", "most"),
    [
        ("serial", None, (), 1),
        ("shared", 3, (), 3),
        ("stream", 2, (), 2),
        ("shared", None, ("geant",), 1),
        ("shared", None, (), 8),
    ],
)
def test_concurrent_calls_are_bounded_as_the_kind_says(
    kind: Any, limit: int | None, resources: tuple[str, ...], most: int
) -> None:
    crowd = _crowd(kind, limit, resources)
    Job("t", source=numbers(40), modules={"c": crowd()}, paths={"p": ["c"]}, streams=8).run()
    assert crowd.most == most  # type: ignore[attr-defined]


def test_a_resource_is_held_by_one_module_of_the_whole_job() -> None:
    inside: list[int] = []

    class Geant(Producer):
        kind = "shared"
        resources = ("geant",)
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            assert not inside
            inside.append(1)
            await asyncio.sleep(0)
            inside.pop()
            event[self.value] = 1

    modules = {"one": Geant(), "two": Geant()}
    report = Job("t", source=numbers(20), modules=modules, paths={"p": ["one"], "q": ["two"]}, streams=4).run()
    assert report.events.passed == 20


def test_a_serial_module_is_not_held_while_its_work_is_away() -> None:
    class Away(ExternalProducer[int, int]):
        kind = "serial"
        x = Input[int]("x")
        value = Output[int]()
        away = 0
        most = 0

        async def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            Away.away += 1
            Away.most = max(Away.most, Away.away)
            for _ in range(100):
                await asyncio.sleep(0)
            Away.away -= 1
            return acquired

        async def produce(self, event: Event, result: int) -> None:
            event[self.value] = result

    Job("t", source=numbers(30), modules={"away": Away()}, paths={"p": ["away"]}, streams=6).run()
    assert Away.most == 6


def test_streams_bound_the_events_in_flight() -> None:
    class Watch(Listener):
        inside = most = 0

        def event_begins(self, event: EventID, number: int, time: float) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)

        def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
            self.inside -= 1

    watch = Watch()
    crowd = _crowd("shared", None)
    Job("t", source=numbers(40), modules={"c": crowd()}, paths={"p": ["c"]}, streams=5).run(listeners=[watch])
    assert watch.most == 5


def test_current_task_timeout_and_taskgroup_work_inside_a_module() -> None:
    class Careful(Producer):
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            assert asyncio.current_task() is not None
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.sleep(0, event[self.x]))
            event[self.value] = task.result()

    output = ListOutput(keep=["c"])
    Job("t", source=numbers(9), modules={"c": Careful()}, paths={"p": ["c"]}, outputs=[output], streams=3).run()
    assert [row.products["c"] for row in output.rows] == list(range(9))


def test_a_constructor_may_keep_its_tokens_elsewhere_in_every_stream() -> None:
    class Sums(Producer):
        first = Input[int]("x")
        second = Input[int]("y")
        total = Output[int]()

        def __init__(self) -> None:
            super().__init__()
            self.both = [self.first, self.second]

        async def produce(self, event: Event) -> None:
            await asyncio.sleep(0)
            event[self.total] = sum(event[each] for each in self.both)

    output = ListOutput(keep=["sums"])
    source = ListSource([{"x": n, "y": 10 * n} for n in range(9)])
    Job("t", source=source, modules={"sums": Sums()}, outputs=[output], streams=3).run()
    assert [row.products["sums"] for row in output.rows] == [11 * n for n in range(9)]
