"""Edge case 10: a product is gone after its last reader."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest
from edge_jobs import BRAIDED, MODES, Above, Away, CopyLater, job, rows

from eventbraid import (
    Analyzer,
    Event,
    ExternalProducer,
    Filter,
    Input,
    Job,
    ModuleError,
    Output,
    Producer,
)
from eventbraid.testing import ListSource


class Heavy:
    """A product that is worth dropping early."""


class MakeHeavy(Producer):
    kind = "shared"
    value = Output[Heavy]()
    n = Output[int]()

    def __init__(self) -> None:
        super().__init__()
        self.refs: dict[int, weakref.ref[Heavy]] = {}

    def produce(self, event: Event) -> None:
        heavy = Heavy()
        self.refs[event.id.event] = weakref.ref(heavy)
        event[self.value] = heavy
        event[self.n] = event.id.event

    def alive(self, event: Event) -> bool:
        return self.refs[event.id.event]() is not None


class Use(Producer):
    """Reads what is heavy and puts a number."""

    kind = "shared"
    heavy = Input[Heavy]("make.value")
    done = Output[int]()

    def __init__(self, waits: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.waits = waits

    async def produce(self, event: Event) -> None:
        assert isinstance(event[self.heavy], Heavy)
        if self.waits:
            await asyncio.sleep(0)
            assert isinstance(event[self.heavy], Heavy)
        event[self.done] = 1


class IfDone(Filter):
    """Passes once what it reads is there."""

    done = Input[int]("use")

    def filter(self, event: Event) -> bool:
        return event[self.done] > 0


class Alive(Analyzer):
    """Notes for each event whether the heavy product is still there."""

    kind = "shared"
    x = Input[int]("make.n")

    def __init__(self, make: MakeHeavy, **settings: Any) -> None:
        super().__init__(**settings)
        self.make = make
        self.seen: list[bool] = []

    async def analyze(self, event: Event) -> None:
        self.seen.append(self.make.alive(event))


@BRAIDED
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("on_path", [False, True])
def test_edge_10_a_heavy_product_is_gone_after_its_last_reader(mode: Any, waits: bool, on_path: bool) -> None:
    make = MakeHeavy()
    alive = Alive(make)
    modules = {"make": make, "use": Use(waits), "if_done": IfDone(), "alive": alive}
    path = ["use", "if_done", "alive"]
    made, _ = job(modules, 3, paths={"p": ["make", *path] if on_path else path}, streams=3)
    made.run(mode)
    assert alive.seen == [False] * 3


@BRAIDED
def test_edge_10_a_heavy_product_without_a_reader_is_gone_once_its_module_has_ended(mode: Any) -> None:
    make = MakeHeavy()
    alive = Alive(make)
    made, _ = job({"make": make, "if_done": IfDone(done="make.n"), "alive": alive}, paths={"p": ["if_done", "alive"]})
    made.run(mode)
    assert alive.seen == [False] * 3


@MODES
def test_edge_10_a_heavy_product_that_an_output_keeps_is_there_for_it(mode: Any) -> None:
    made, output = job({"make": MakeHeavy(), "use": Use(True)}, 3, keep=["make.value"], paths={"p": ["use"]})
    made.run(mode)
    assert all(isinstance(kept, Heavy) for kept in rows(output, "make.value"))


@BRAIDED
def test_edge_10_a_heavy_product_behind_a_filter_is_gone_after_its_last_reader_has_waited(mode: Any) -> None:
    make = MakeHeavy()
    alive = Alive(make)
    modules = {"above": Above(cut=-1), "make": make, "use": Use(waits=True), "if_done": IfDone(), "alive": alive}
    made, _ = job(modules, 3, paths={"p": ["above", "make", "use", "if_done", "alive"]}, streams=3)
    made.run(mode)
    assert alive.seen == [False] * 3


class AwayAfter(Away):
    """Its work is away while a heavy product that was read before is not needed any more."""

    x = Input[int]("use")

    def __init__(self, make: MakeHeavy) -> None:
        self.alive: list[bool] = []

        async def look() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            self.alive += [ref() is not None for ref in make.refs.values()]

        async def work(acquired: int) -> int:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(look(), self.loop))
            return acquired

        super().__init__(work)

    def acquire(self, event: Event) -> int:
        self.loop = asyncio.get_running_loop()
        return super().acquire(event)


class WaitsAfter(Producer):
    """The same, waiting in its own step."""

    kind = "shared"
    x = Input[int]("use")
    value = Output[int]()

    def __init__(self, make: MakeHeavy) -> None:
        super().__init__()
        self.make = make
        self.alive: list[bool] = []

    async def produce(self, event: Event) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.alive.append(self.make.alive(event))
        event[self.value] = 1


@BRAIDED
@pytest.mark.parametrize(
    ("first", "waits", "later"),
    [
        ([], False, AwayAfter),
        ([], True, AwayAfter),
        (["above"], True, AwayAfter),
        (["above"], False, AwayAfter),
        ([], True, WaitsAfter),
        (["above"], True, WaitsAfter),
        ([], False, WaitsAfter),
        (["above"], False, WaitsAfter),
    ],
)
def test_edge_10_a_heavy_product_is_gone_while_a_later_module_waits(
    mode: Any, first: list[str], waits: bool, later: Any
) -> None:
    if mode == "threads" and later is AwayAfter:
        return  # its external work begins in its thread at once, while the loop is still on its way to the drop
    make = MakeHeavy()
    waiting = later(make)
    modules = {"above": Above(cut=-1), "make": make, "use": Use(waits), "waiting": waiting}
    made, _ = job(modules, 1, paths={"p": [*first, "make", "use", "waiting"]})
    made.run(mode)
    assert waiting.alive == [False]


class Tells(Alive):
    """Tells another module to go on, once it has looked."""

    def __init__(self, make: MakeHeavy, told: asyncio.Event, **settings: Any) -> None:
        super().__init__(make, **settings)
        self.told = told

    async def analyze(self, event: Event) -> None:
        await super().analyze(event)
        self.told.set()


class UseWhenTold(Use):
    def __init__(self, told: asyncio.Event, **settings: Any) -> None:
        super().__init__(**settings)
        self.told = told

    async def produce(self, event: Event) -> None:
        await self.told.wait()
        await super().produce(event)


@BRAIDED
@pytest.mark.parametrize("paths", [1, 2])
def test_edge_10_a_heavy_product_stays_for_the_last_of_several_readers(mode: Any, paths: int) -> None:
    make, told = MakeHeavy(), asyncio.Event()
    between, after = Tells(make, told, x="one"), Alive(make, x="later")
    modules = {"make": make, "one": Use(), "between": between, "two": UseWhenTold(told)}
    modules |= {"later": CopyLater(x="two"), "after": after}
    named = {"p": ["one", "between"], "q": ["two", "after"]} if paths == 2 else {"p": list(modules)}
    made, _ = job(modules, 1, paths=named)
    made.run(mode)
    assert (between.seen, after.seen) == ([True], [False])


@BRAIDED
def test_edge_10_a_heavy_product_is_gone_where_its_last_reader_is_behind_a_filter_that_did_not_pass(mode: Any) -> None:
    make = MakeHeavy()
    alive = Alive(make, x="later")
    modules = {"make": make, "above": Above(cut=0), "use": Use(), "later": CopyLater(x="make.n"), "alive": alive}
    made, _ = job(modules, 2, paths={"p": ["above", "use"], "q": ["make"]}, streams=1)
    made.run(mode)
    assert alive.seen == [False, False]


@BRAIDED
def test_edge_10_a_heavy_product_is_gone_after_its_reader_has_failed(mode: Any) -> None:
    class Breaks(Use):
        async def produce(self, event: Event) -> None:
            await super().produce(event)
            raise ValueError("broken")

    make = MakeHeavy()
    alive = Alive(make, x="later")
    modules = {"make": make, "use": Breaks(), "later": CopyLater(x="make.n"), "alive": alive}
    made, _ = job(modules, 2, paths={"p": ["use"], "q": ["alive"]}, streams=1, on_error="continue")
    assert made.run(mode).errors == 2
    assert alive.seen == [False, False]


class AwayUse(ExternalProducer[int, int]):
    """Reads what is heavy before and after its work."""

    kind = "shared"
    heavy = Input[Heavy]("make.value")
    done = Output[int]()

    def __init__(self, make: MakeHeavy) -> None:
        super().__init__()
        self.make = make
        self.alive: list[bool] = []

    def acquire(self, event: Event) -> int:
        assert isinstance(event[self.heavy], Heavy)
        return event.id.event

    async def external_work(self, acquired: int) -> int:
        for _ in range(5):
            await asyncio.sleep(0)
        self.alive.append(self.make.refs[acquired]() is not None)
        return acquired

    def produce(self, event: Event, result: int) -> None:
        assert isinstance(event[self.heavy], Heavy)
        event[self.done] = result


@BRAIDED
def test_edge_10_a_heavy_product_stays_for_an_external_reader_until_it_has_produced(mode: Any) -> None:
    make = MakeHeavy()
    away, alive = AwayUse(make), Alive(make, x="later")
    modules = {"make": make, "away": away, "later": CopyLater(x="away"), "alive": alive}
    made, _ = job(modules, 3, paths={"p": ["away", "alive"]}, streams=3)
    made.run(mode)
    assert (away.alive, alive.seen) == ([True] * 3, [False] * 3)


class Thief(Analyzer):
    """Reads by the input of another module, which it says nothing of, after that has ended."""

    kind = "shared"
    done = Input[int]("use")

    def __init__(self, other: Any, token: str) -> None:
        super().__init__()
        self.other, self.token = other, token

    async def analyze(self, event: Event) -> None:
        assert event[getattr(self.other, self.token)] == 1


class UseNumber(Producer):
    kind = "shared"
    x = Input[int]("make.n")
    done = Output[int]()

    async def produce(self, event: Event) -> None:
        await asyncio.sleep(0)
        event[self.done] = event[self.x]


@MODES
def test_edge_10_plain_numbers_stay_until_the_event_is_over(mode: Any) -> None:
    use = UseNumber()
    made, _ = job({"make": MakeHeavy(), "use": use, "thief": Thief(use, "x")}, 1, paths={"p": ["use", "thief"]})
    assert made.run(mode).events.passed == 1


@BRAIDED
@pytest.mark.parametrize("path", [["use", "thief"], ["make", "use", "thief"]], ids=["on demand", "on path"])
def test_edge_10_reading_after_the_last_declared_reader_fails_with_the_reason(mode: Any, path: list[str]) -> None:
    use = Use(waits=True)
    made, _ = job({"make": MakeHeavy(), "use": use, "thief": Thief(use, "heavy")}, 1, paths={"p": path})
    with pytest.raises(ModuleError, match=r"module 'thief'.*'make' put no such product, or it was dropped after its"):
        made.run(mode)


@BRAIDED
def test_edge_10_reading_a_heavy_product_of_the_source_after_its_last_reader_fails_with_the_reason(mode: Any) -> None:
    use = Use(waits=True, heavy="heavy")
    modules = {"use": use, "thief": Thief(use, "heavy")}
    made = Job("t", source=ListSource([{"heavy": Heavy()}]), modules=modules, paths={"p": ["use", "thief"]})
    with pytest.raises(ModuleError, match=r"module 'thief'.*dropped after its last reader"):
        made.run(mode)
