"""Edge case 20: modules that share bounds and resources."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from edge_jobs import MODES, STEPS, WAITS, Away, Copy, FailsIn, job, numbers, rows
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import (
    Event,
    ExternalProducer,
    Filter,
    Input,
    Job,
    Output,
    Parameter,
    Producer,
)


class Inside:
    """How many calls are inside of what, and the most there ever were."""

    def __init__(self) -> None:
        self.inside: dict[str, int] = {}
        self.most: dict[str, int] = {}

    @contextlib.contextmanager
    def within(self, names: Sequence[str]) -> Iterator[None]:
        for name in names:
            self.inside[name] = self.inside.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.inside[name])
        try:
            yield
        finally:
            for name in names:
                self.inside[name] -= 1


@dataclass(frozen=True)
class Bounded:
    """How calls of a module are bounded, how long they take, and for which events they raise."""

    kind: str = "shared"
    limit: int | None = None
    resources: tuple[str, ...] = ()
    waits: int = 1
    raises_every: int = 0
    external: bool = False

    def most(self, label: str) -> dict[str, int]:
        """The most calls that may be inside."""
        found = dict.fromkeys(self.resources, 1)
        if self.kind == "serial" or self.limit is not None:
            found[label] = 1 if self.kind == "serial" else self.limit or 1
        return found


class BoundedModule(Producer):
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, label: str, bounded: Bounded, inside: Inside) -> None:
        super().__init__()
        self.label, self.bounded, self.inside = label, bounded, inside

    async def call(self, event: Event, step: str) -> None:
        x, bounded = event[self.x], self.bounded
        with self.inside.within(list(bounded.most(self.label))):
            for _ in range(bounded.waits):
                await asyncio.sleep(0)
            if bounded.raises_every and x % (2 * bounded.raises_every) == (0 if step == "acquire" else 1):
                raise ValueError("a bad hit")

    async def produce(self, event: Event) -> None:
        await self.call(event, "produce")
        event[self.value] = event[self.x]


class BoundedAway(BoundedModule, ExternalProducer[int, int]):
    _steps = ExternalProducer._steps

    async def acquire(self, event: Event) -> int:
        await self.call(event, "acquire")
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        for _ in range(self.bounded.waits):
            await asyncio.sleep(0)
        return acquired

    async def produce(self, event: Event, result: int) -> None:  # type: ignore[override]
        await self.call(event, "produce")
        event[self.value] = result


def bounded_module(label: str, bounded: Bounded, inside: Inside) -> Any:
    base = BoundedAway if bounded.external else BoundedModule
    space = {"kind": bounded.kind, "limit": bounded.limit, "resources": bounded.resources}
    return type(label, (base,), space)(label, bounded, inside)


BOUNDED = st.builds(
    Bounded,
    kind=st.sampled_from(["serial", "shared", "stream"]),
    limit=st.sampled_from([None, None, 1, 2, 3]),
    resources=st.lists(st.sampled_from(["tape", "geant", "file"]), unique=True, max_size=3).map(tuple),
    waits=st.integers(0, 3),
    raises_every=st.sampled_from([0, 0, 2, 3]),
    external=st.booleans(),
)


@given(
    st.lists(BOUNDED, min_size=1, max_size=5), st.integers(1, 6), st.sampled_from(["async", "threads"]),
    st.sampled_from(["skip", "continue"]), st.booleans(),
)  # fmt: skip
def test_edge_20_bounds_are_never_exceeded_and_nothing_waits_for_ever(
    bounded: list[Bounded], streams: int, mode: Any, policy: Any, one_path: bool
) -> None:
    inside = Inside()
    modules = {f"m{n}": bounded_module(f"m{n}", each, inside) for n, each in enumerate(bounded)}
    paths = {"all": list(modules)} if one_path else {f"p_{label}": [label] for label in modules}
    made, _ = job(modules, 12, paths=paths, on_error=policy, streams=streams)
    report = made.run(mode)
    assert report.events.read == 12
    for label, each in zip(modules, bounded, strict=True):
        for name, most in each.most(label).items():
            assert inside.most.get(name, 0) <= most
    assert not any(inside.inside.values())


def test_edge_20_two_modules_that_name_two_resources_in_opposite_order_do_not_block_each_other() -> None:
    inside = Inside()
    modules = {
        "one": bounded_module("one", Bounded(resources=("tape", "geant"), waits=2), inside),
        "two": bounded_module("two", Bounded(resources=("geant", "tape"), waits=2), inside),
        "three": bounded_module("three", Bounded(kind="serial", resources=("geant",), waits=1, external=True), inside),
        "four": bounded_module("four", Bounded(limit=2, resources=("tape",), waits=1, external=True), inside),
    }
    made, _ = job(modules, 40, streams=8)
    assert made.run().events.passed == 40
    assert inside.most == {"tape": 1, "geant": 1, "three": 1, "four": 1}


BOUNDS = pytest.mark.parametrize(
    "bound", [{"kind": "serial"}, {"limit": 1}, {"resources": ("tape",)}], ids=["serial", "limit", "resource"]
)


@MODES
@BOUNDS
@STEPS
@WAITS
def test_edge_20_a_bound_is_free_again_after_an_exception_in_any_step(
    mode: Any, bound: dict[str, Any], step: str, waits: bool
) -> None:
    module = type("Bound", (FailsIn,), {"kind": "shared", **bound})(step, waits)
    made, output = job({"m": module}, 5, keep=["m"], on_error="skip", streams=4)
    assert made.run(mode).events.failed == 1
    assert rows(output, "m") == [0, 2, 3, 4]


@BOUNDS
def test_edge_20_a_bound_is_not_held_while_external_work_is_away(bound: dict[str, Any]) -> None:
    away: set[int] = set()
    all_are_away = asyncio.Event()

    async def work(acquired: int) -> int:
        away.add(acquired)
        if len(away) == 4:
            all_are_away.set()
        await all_are_away.wait()
        return acquired

    module = type("Bound", (Away,), bound)(work)
    made, output = job({"m": module}, 4, keep=["m"], streams=4)
    made.run()
    assert rows(output, "m") == [0, 1, 2, 3]


@BOUNDS
def test_edge_20_another_module_may_use_a_resource_while_external_work_is_away(bound: dict[str, Any]) -> None:
    used = asyncio.Event()

    async def work(acquired: int) -> int:
        await used.wait()
        return acquired

    class Uses(Copy):
        def produce(self, event: Event) -> None:
            super().produce(event)
            used.set()

    module, other = type("Bound", (Away,), bound)(work), type("Bound", (Uses,), bound)()
    made, _ = job({"m": module, "other": other}, 1)
    assert made.run().events.passed == 1


class Arrives(Producer):
    """Lets events go on youngest first."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.gone = [asyncio.Event() for _ in range(count + 1)]
        self.gone[count].set()

    async def produce(self, event: Event) -> None:
        x = event[self.x]
        await self.gone[x + 1].wait()
        event[self.value] = x
        asyncio.get_running_loop().call_soon(self.gone[x].set)


class Queues(Producer):
    """Notes the order of its calls; the first waits until all others are in the queue."""

    kind = "shared"
    x = Input[int]("arrives")
    value = Output[int]()

    def __init__(self, arrives: Arrives) -> None:
        super().__init__()
        self.arrives = arrives
        self.order: list[int] = []

    async def produce(self, event: Event) -> None:
        self.order.append(event[self.x])
        await self.arrives.gone[0].wait()
        for _ in range(10):
            await asyncio.sleep(0)
        event[self.value] = event[self.x]


@BOUNDS
def test_edge_20_the_oldest_event_in_the_queue_is_the_next(bound: dict[str, Any]) -> None:
    arrives = Arrives(6)
    queues = type("Bound", (Queues,), bound)(arrives)
    made, _ = job({"arrives": arrives, "queues": queues}, 6, paths={"p": ["arrives", "queues"]}, streams=6)
    made.run()
    assert queues.order == [5, 0, 1, 2, 3, 4]


def test_edge_20_of_two_modules_that_share_a_resource_the_older_events_is_the_next() -> None:
    arrives = Arrives(6)
    bound = {"resources": ("tape",)}
    even, odd = (type("Bound", (Queues,), bound)(arrives) for _ in range(2))
    odd.order = even.order
    modules = {"arrives": arrives, "even": even, "odd": odd}
    modules |= {"is_even": Modulo(rest=0), "is_odd": Modulo(rest=1)}
    paths = {"p": ["is_even", "even"], "q": ["is_odd", "odd"]}
    made, _ = job(modules, 6, paths=paths, streams=6)
    made.run()
    assert even.order == [5, 0, 1, 2, 3, 4]


class Modulo(Filter):
    x = Input[int]("x")
    rest = Parameter(0)

    def filter(self, event: Event) -> bool:
        return event[self.x] % 2 == self.rest


class Takes(Producer):
    """Holds its bounds for some turns of the loop."""

    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, order: list[tuple[str, int]], name: str, waits: int) -> None:
        super().__init__()
        self.order, self.name, self.waits = order, name, waits

    async def produce(self, event: Event) -> None:
        self.order.append((self.name, event[self.x]))
        for _ in range(self.waits):
            await asyncio.sleep(0)
        event[self.value] = 1


class SecondAlone(Filter):
    """Passes, or does not, the one event whose x is 1."""

    x = Input[int]("x")
    passes = Parameter(True)

    def filter(self, event: Event) -> bool:
        return (event[self.x] == 1) == self.passes


def test_edge_20_a_call_of_two_resources_does_not_wait_for_all_younger_calls_of_one() -> None:
    order: list[tuple[str, int]] = []
    modules = {
        "second": SecondAlone(passes=True),
        "others": SecondAlone(passes=False),
        "both": type("Both", (Takes,), {"resources": ("tape", "geant")})(order, "both", 1),
        "tape": type("Tape", (Takes,), {"resources": ("tape",)})(order, "tape", 5),
        "geant": type("Geant", (Takes,), {"resources": ("geant",)})(order, "geant", 5),
    }
    paths = {"p": ["second", "both"], "q": ["others", "tape"], "r": ["others", "geant"]}
    made = Job("t", source=numbers(200), modules=modules, paths=paths, streams=6)
    assert made.run().events.passed == 200
    assert order.index(("both", 1)) < 20
