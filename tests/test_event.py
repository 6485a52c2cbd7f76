"""Products are put once, read-only, and say clearly why they cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from eventbraid import Analyzer, Event, EventID, Filter, Input, Job, ModuleError, Output, Producer, ProductError
from eventbraid.event import freeze
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput, ListSource


@dataclass(frozen=True, slots=True)
class Hits:
    x: NDArray[np.float64]
    more: dict[str, NDArray[np.float64]]


class Put(Producer):
    value = Output[NDArray[np.float64]]()

    def produce(self, event: Event) -> None:
        event[self.value] = np.ones(3)


class Twice(Producer):
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = 1
        event[self.value] = 2


class Scribble(Analyzer):
    array = Input[NDArray[np.float64]]("put")

    def analyze(self, event: Event) -> None:
        event[self.array][0] = 7


class Fails(Filter):
    def filter(self, event: Event) -> bool:
        return False


class Read(Analyzer):
    array = Input[NDArray[np.float64]]("put")

    def analyze(self, event: Event) -> None:
        assert self.array in event
        assert event[self.array].size


def fails(**modules: Analyzer | Producer | Filter) -> ModuleError:
    paths = {"p": [label for label in modules if label != "read"]}
    with pytest.raises(ModuleError) as raised:
        Job("test", source=EmptySource(events=1), modules=modules, paths=paths).run("blocking")
    return raised.value


def test_an_array_that_was_put_cannot_be_written() -> None:
    error = fails(put=Put(), scribble=Scribble())
    assert (
        "module 'scribble', step analyze, path 'p', event 1:1:1: ValueError: assignment destination is read-only"
        in str(error)
    )


def test_a_product_is_put_once() -> None:
    error = fails(twice=Twice())
    assert "output 'value' was put twice in event 1:1:1" in str(error)
    assert isinstance(error.__cause__, ProductError)


@pytest.mark.parametrize("mode", ["async", "blocking"])
def test_a_product_behind_a_filter_that_failed_is_absent(mode: str) -> None:
    class Absent(Analyzer):
        array = Input[NDArray[np.float64]]("put")
        seen: ClassVar[list[object]] = []

        def analyze(self, event: Event) -> None:
            self.seen.append((event.get(self.array), event.get(self.array, 5), self.array in event))

    Absent.seen.clear()
    modules = {"fails": Fails(), "put": Put(), "look": Absent()}
    Job("test", source=EmptySource(events=1), modules=modules, paths={"p": ["fails", "put"]}).run(mode)  # type: ignore[arg-type]
    assert Absent.seen == [(None, 5, False)]


def test_reading_what_is_absent_says_who_should_have_put_it() -> None:
    modules = {"fails": Fails(), "put": Put(), "read": Scribble()}
    with pytest.raises(ModuleError, match=r"'put' put no such product.* or did not run.*event\.get\(\)"):
        Job("test", source=EmptySource(events=1), modules=modules, paths={"p": ["fails", "put"]}).run()


def test_a_token_of_a_module_outside_the_job_is_refused() -> None:
    stranger = Put()

    class Steals(Analyzer):
        def analyze(self, event: Event) -> None:
            event[stranger.value] = np.ones(1)

    with pytest.raises(ModuleError, match="belongs to no running job"):
        Job("test", source=EmptySource(events=1), modules={"steals": Steals()}).run()


def test_path_results_before_the_paths_have_ended_are_an_error() -> None:
    class Early(Producer):
        value = Output[int]()

        def produce(self, event: Event) -> None:
            event[self.value] = len(event.path_results)

    assert "known only after all paths have ended" in str(fails(early=Early()))


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3)))
def test_arrays_inside_products_become_read_only(array: NDArray[np.float64]) -> None:
    for product in (array.copy(), Hits(array.copy(), {"y": array.copy()}), [array.copy()], (1, array.copy())[1:]):
        freeze(product)
        for found in _found(product):
            assert not found.flags.writeable


def _found(product: object) -> list[NDArray[np.float64]]:
    if isinstance(product, np.ndarray):
        return [product]
    if isinstance(product, Hits):
        return [product.x, *product.more.values()]
    assert isinstance(product, (list, tuple))
    return list(product)


@pytest.mark.parametrize("mode", ["async", "blocking"])
def test_a_product_of_the_source_is_read_by_its_bare_name(mode: str) -> None:
    output = ListOutput(keep=["put"])
    Job("test", source=ListSource([{"put": 3}, {"put": 4}]), modules={}, outputs=[output]).run(mode)  # type: ignore[arg-type]
    assert [(row.id, row.products) for row in output.rows] == [
        (EventID(1, 1, 1), {"put": 3}),
        (EventID(1, 1, 2), {"put": 4}),
    ]


def test_products_are_dropped_after_their_last_reader() -> None:
    import weakref

    class Large:
        pass

    alive: list[bool] = []

    class Make(Producer):
        value = Output[Large]()

        def produce(self, event: Event) -> None:
            large = Large()
            self.ref = weakref.ref(large)
            event[self.value] = large

    make = Make()
    Make.kind = "shared"

    class Use(Producer):
        value = Input[Large]("make")
        done = Output[int]()

        async def produce(self, event: Event) -> None:
            import asyncio

            assert event[self.value]
            await asyncio.sleep(0)
            event[self.done] = 1

    class After(Analyzer):
        done = Input[int]("use")

        async def analyze(self, event: Event) -> None:
            alive.append(make.ref() is not None)

    modules = {"make": make, "use": Use(), "after": After()}
    Job("test", source=EmptySource(events=2), modules=modules, paths={"p": ["after"]}).run()
    assert alive == [False, False]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_event_ids_are_ordered_and_shown_as_run_lumi_event(run: int, lumi: int, event: int) -> None:
    identity = EventID(run, lumi, event)
    assert str(identity) == f"{run}:{lumi}:{event}"
    assert identity < EventID(run, lumi, event + 1) < EventID(run, lumi + 1, 1) < EventID(run + 1, 1, 1)
