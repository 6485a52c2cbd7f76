"""A job's faults are all found at once, before any event is read; a good job gives a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eventbraid import Analyzer, ConfigurationError, Event, Filter, Input, Job, Output, Parameter, Producer
from eventbraid.fitting import fits
from eventbraid.plan import make_plan
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput, ListSource


class Number(Producer):
    value = Output[float]()
    scale = Parameter(1.0, ge=0, doc="what one is worth")

    def produce(self, event: Event) -> None:
        event[self.value] = self.scale


class Pair(Producer):
    left = Output[int]()
    right = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.left], event[self.right] = 1, 2


class Plus(Producer):
    one = Input[float]("one")
    value = Output[float]()

    def produce(self, event: Event) -> None:
        event[self.value] = event[self.one] + 1


class Words(Producer):
    words = Output[str]()

    def produce(self, event: Event) -> None:
        event[self.words] = "some"


class Positive(Filter):
    one = Input[float]("one")

    def filter(self, event: Event) -> bool:
        return event[self.one] > 0


class Look(Analyzer):
    one = Input[float]("one")

    def analyze(self, event: Event) -> None:
        assert event[self.one]


def job(modules: Mapping[str, Any], **more: Any) -> Job:
    return Job("test", source=more.pop("source", EmptySource(events=1)), modules=modules, **more)


def faults(modules: Mapping[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        make_plan(job(modules, **more))
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_an_unknown_label_is_named_with_the_nearest() -> None:
    text = faults({"one": Number(), "plus": Plus(one="oen")})
    assert "module 'plus': input 'one' reads 'oen', which nothing puts (did you mean 'one'?)" in text


def test_all_faults_are_reported_at_once_each_with_its_label() -> None:
    text = faults(
        {"one": Number(scale=-1, skale=2), "plus": Plus(one="two"), "w": Words(), "p": Plus(one="w")},
        paths={"main": ["plsu"]},
        outputs=[ListOutput(keep=["nothing"], select=["mian"])],
        streams=0,
        on_error="stpo",
    )
    for expected in (
        "streams must be a whole number of at least 1, not 0",
        "on_error must be 'stop', 'skip' or 'continue', not 'stpo' (did you mean 'stop'?)",
        "module 'one': has no parameter 'skale' (did you mean 'scale'?)",
        "module 'one': parameter 'scale' should be greater than or equal to 0, not -1 (what one is worth)",
        "input 'one' expects float, but 'w' is str",
        "path 'main': there is no module 'plsu' (did you mean 'plus'?)",
        "selects the unknown path 'mian' (did you mean 'main'?)",
    ):
        assert expected in text, (expected, text)


def test_a_cycle_is_shown_as_one() -> None:
    text = faults({"a": Plus(one="b"), "b": Plus(one="a")}, paths={"p": ["a"]})
    assert "modules wait for each other: a -> b -> a" in text or "b -> a -> b" in text


def test_a_cycle_through_filters_of_two_paths_is_found() -> None:
    class Gate(Filter):
        one = Input[float]("one")
        value = Output[float]()

        def filter(self, event: Event) -> bool:
            return True

    modules = {"f": Gate(one="y"), "g": Gate(one="x"), "x": Number(), "y": Number()}
    assert "wait for each other" in faults(modules, paths={"p": ["f", "x"], "q": ["g", "y"]})


def test_a_module_with_several_outputs_must_be_read_by_output() -> None:
    assert "which has several outputs (choose one of pair.left, pair.right)" in faults(
        {"pair": Pair(), "plus": Plus(one="pair")}
    )


def test_a_missing_output_of_a_module_is_named_with_the_nearest() -> None:
    text = faults({"pair": Pair(), "plus": Plus(one="pair.lfet")})
    assert "'pair' has no such output (did you mean 'pair.left'?)" in text


def test_reading_a_module_that_puts_nothing_is_a_fault() -> None:
    assert "which puts no product" in faults({"one": Number(), "look": Look(), "plus": Plus(one="look")})


def test_a_product_of_the_source_and_a_module_of_one_name_is_a_doubled_output() -> None:
    assert "has the name of a product of the source" in faults({"one": Number()}, source=ListSource([{"one": 1.0}]))


def test_an_input_without_a_label_is_a_fault() -> None:
    class Bare(Analyzer):
        thing = Input[float]()

        def analyze(self, event: Event) -> None: ...

    assert "input 'thing' needs the label of a module or a product of the source" in faults({"bare": Bare()})


def test_a_required_parameter_that_is_missing_is_a_fault() -> None:
    class Named(Analyzer):
        title = Parameter[str](doc="what to write on it")

        def analyze(self, event: Event) -> None: ...

    assert "module 'named': parameter 'title' required (what to write on it)" in faults({"named": Named()})


def test_the_class_in_place_of_a_module_is_a_fault() -> None:
    assert "the class itself: write it with parentheses" in faults({"one": Number})


def test_a_module_without_its_step_is_a_fault() -> None:
    class Lazy(Producer):
        value = Output[float]()

    assert "Lazy does not define produce()" in faults({"lazy": Lazy()})  # type: ignore[abstract]


def test_one_module_under_two_labels_is_a_fault() -> None:
    number = Number()
    assert "is the very object of module 'one'; make two" in faults({"one": number, "two": number})


def test_a_wrong_order_on_a_path_is_a_fault() -> None:
    text = faults({"one": Number(), "plus": Plus()}, paths={"p": ["plus", "one"]})
    assert "path 'p': 'plus' reads 'one', which comes after it (put 'one' first)" in text


def test_a_module_twice_on_a_path_is_a_fault() -> None:
    assert "path 'p': names 'one' twice" in faults({"one": Number()}, paths={"p": ["one", "one"]})


def test_a_label_must_be_a_name() -> None:
    assert "a label must be a name" in faults({"my one": Number()})


def test_a_string_where_a_list_belongs_is_a_fault() -> None:
    assert "path 'p': must be a list of labels, not the string 'one'" in faults({"one": Number()}, paths={"p": "one"})
    assert "servers must be a list, not 'a:1'" in faults({}, servers="a:1")


def test_an_unknown_kind_is_a_fault() -> None:
    class Odd(Number):
        kind = "shard"  # type: ignore[assignment]

    assert "has the unknown kind 'shard' (did you mean 'shared'?)" in faults({"one": Odd()})


def test_an_analyzer_with_an_output_is_a_fault() -> None:
    class Putting(Analyzer):
        value = Output[int]()

        def analyze(self, event: Event) -> None: ...

    assert "an Analyzer puts no products" in faults({"a": Putting()})


def test_a_module_that_nothing_needs_is_a_warning() -> None:
    plan = make_plan(job({"one": Number(), "two": Number(), "look": Look()}))
    assert plan.warnings == ("module 'two' will not run: no path names it, nothing that runs reads it",)


def test_a_job_that_runs_nothing_says_so() -> None:
    assert "runs nothing" in make_plan(job({})).warnings[-1]


def test_what_leads_to_external_work_comes_first() -> None:
    from eventbraid import ExternalProducer

    class Away(ExternalProducer[float, float]):
        one = Input[float]("one")
        value = Output[float]()

        async def acquire(self, event: Event) -> float:
            return event[self.one]

        async def external_work(self, acquired: float) -> float:
            return acquired

        async def produce(self, event: Event, result: float) -> None:
            event[self.value] = result

    plan = make_plan(job({"first": Number(), "one": Number(), "away": Away()}, paths={"p": ["first", "away"]}))
    assert list(plan.labels[: plan.used]) == ["one", "away", "first"]


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        (int, float, True),
        (bool, int, True),
        (str, float, False),
        (NDArray[np.float32], NDArray[np.float64], False),
        (NDArray[np.float32], NDArray[np.floating[Any]], True),
        (NDArray[np.float32], np.ndarray, True),
        (int | None, int, False),
        (int, int | None, True),
        (list[int], list[str], False),
        (Any, int, True),
        (int, object, True),
        (dict[str, int], Mapping[str, int], True),
    ],
)
def test_types_fit_unless_they_certainly_do_not(given: Any, wanted: Any, expected: bool) -> None:
    assert fits(given, wanted) is expected
