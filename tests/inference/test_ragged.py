"""Modules that ask a model for each of several entries, and how the options of modules reach the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scripted import Held, Scripted, client_of, rows

from eventbraid import ConfigurationError, Event, Input, Job, ModuleError, Output
from eventbraid.errors import RequestError
from eventbraid.inference import (
    InferenceProducer,
    RaggedInferenceFilter,
    RaggedInferenceProducer,
    Tensors,
    connect,
)
from eventbraid.testing import ListOutput, ListSource

MODES: Any = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
Entries = Sequence[NDArray[np.float32]]


class Doubled(RaggedInferenceProducer):
    entries = Input[Entries]("entries")
    doubled = Output[list[list[float]]]()

    async def acquire(self, event: Event) -> list[Tensors]:
        return [{"x": entry} for entry in event[self.entries]]

    async def produce(self, event: Event, response: list[Tensors]) -> None:
        event[self.doubled] = [answer["y"][:, 0].tolist() for answer in response]


class Large(RaggedInferenceFilter):
    entries = Input[Entries]("entries")

    def acquire(self, event: Event) -> list[Tensors]:
        return [{"x": entry} for entry in event[self.entries]]

    def filter(self, event: Event, response: list[Tensors]) -> bool:
        return any((answer["y"] > 5).any() for answer in response)


class One(InferenceProducer):
    entries = Input[Entries]("entries")
    doubled = Output[list[float]]()

    def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.entries][0]}

    def produce(self, event: Event, response: Tensors) -> None:
        event[self.doubled] = response["y"][:, 0].tolist()


def entries(*numbers: Sequence[float]) -> dict[str, Entries]:
    """The data of an event."""
    return {"entries": [np.array(each, np.float32).reshape(-1, 1) for each in numbers]}


EVENTS = [entries(), entries([1]), entries([1, 2, 3], [], [4])]

Run = Callable[..., ListOutput]


@pytest.fixture
def one() -> Scripted:
    """A server that answers at once."""
    server = Scripted("one")
    server.at_once = Held.succeed
    return server


@pytest.fixture
def run(one: Scripted, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a job with one module on that server."""
    monkeypatch.setattr(connect, "TritonClient", lambda servers, **more: client_of(one, **more))

    def run(module: Any, events: Sequence[Any] = EVENTS, mode: Any = "async") -> ListOutput:
        output = ListOutput(keep=[] if isinstance(module, Large) else ["module"])
        job = Job(
            "t",
            source=ListSource(events),
            modules={"module": module},
            paths={"p": ["module"]},
            outputs=[output],
            servers=["one:8001"],
        )
        job.run(mode)
        return output

    return run


@MODES
def test_each_entry_has_an_answer_of_its_own_shape(run: Run, one: Scripted, mode: Any) -> None:
    output = run(Doubled(model="m"), mode=mode)
    assert [row.products["module"] for row in output.rows] == [[], [[2]], [[2, 4, 6], [], [8]]]
    assert sorted(each.x for each in one.requests) == [[1], [1, 2, 3], [4]]  # none for the entry without rows


@MODES
def test_a_filter_decides_on_the_answers_of_all_entries(run: Run, mode: Any) -> None:
    output = run(Large(model="m"), mode=mode)
    assert [row.path_results["p"].passed for row in output.rows] == [False, False, True]


@MODES
def test_entries_of_several_dimensions_differ_in_each(repository: Path, mode: Any) -> None:
    class Types(RaggedInferenceProducer):
        shapes = Input[Sequence[tuple[int, int]]]("shapes")
        same = Output[list[tuple[int, ...]]]()

        def acquire(self, event: Event) -> list[Tensors]:
            kinds = {"BOOL": "?", "INT8": "i1", "UINT16": "u2", "INT32": "i4", "INT64": "i8", "FP16": "f2"}
            kinds |= {"FP32": "f4", "FP64": "f8"}
            return [
                {f"in_{name}": np.ones(shape, kind) for name, kind in kinds.items()} for shape in event[self.shapes]
            ]

        def produce(self, event: Event, response: list[Tensors]) -> None:
            event[self.same] = [answer["out_FP16"].shape for answer in response]

    shapes = [(1, 5), (3, 2), (2, 2)]
    output = ListOutput(keep=["module"])
    Job(
        "t",
        source=ListSource([{"shapes": shapes}, {"shapes": []}]),
        modules={"module": Types(model="types")},
        paths={"p": ["module"]},
        outputs=[output],
        models=[repository],
    ).run(mode)
    assert [row.products["module"] for row in output.rows] == [shapes, []]


@MODES
def test_an_entry_that_fails_fails_the_event_and_ends_the_others(run: Run, one: Scripted, mode: Any) -> None:
    def fail_the_second(held: Held) -> None:
        if held.x == [2]:
            held.fail("INTERNAL", "the second")

    one.at_once = fail_the_second
    with pytest.raises(ModuleError, match=r"step external work.*one, model 'm': INTERNAL: the second"):
        run(Doubled(model="m"), [entries([1], [2], [3])], mode=mode)
    assert not one.held


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "the inputs are no list of entries but NoneType"),
        (rows(), "the inputs are no list of entries but dict"),
        ([rows(), None], "the inputs are no dictionary of arrays but NoneType"),
        ([rows(), {"x": [1.0]}], "input 'x' is no array but list"),
        ([rows(), {"x": np.ones((0, 2), np.float32)}], "input 'x' is of shape [0,2], not [-1,1]"),
    ],
    ids=["nothing", "one entry", "a part", "a list", "no rows of another shape"],
)
def test_what_is_no_list_of_entries_says_what_is_expected(run: Run, given: Any, text: str) -> None:
    class Wrong(Doubled):
        async def acquire(self, event: Event) -> list[Tensors]:
            return given  # type: ignore[no-any-return]

    with pytest.raises(ModuleError) as raised:
        run(Wrong(model="m"))
    assert text in str(raised.value)
    assert raised.value.step == "external work"


def test_a_module_that_gives_no_inputs_says_what_is_expected(run: Run) -> None:
    class Forgot(One):
        def acquire(self, event: Event) -> Tensors:
            return None  # type: ignore[return-value]

    with pytest.raises(ModuleError, match="the inputs are no dictionary of arrays but NoneType"):
        run(Forgot(model="m"), [entries([1])])


def test_an_output_that_the_model_has_not_is_an_error_before_the_first_event(run: Run, one: Scripted) -> None:
    with pytest.raises(RequestError, match=r"model 'm': there is no output 'yy', did you mean 'y'\?") as raised:
        run(One(model="m", requested_outputs=("yy",)))
    assert "needed by module 'module'" in raised.value.__notes__
    assert raised.value.report is None
    assert not one.requests


def test_the_outputs_of_a_module_are_asked_for(run: Run, one: Scripted) -> None:
    run(One(model="m", requested_outputs=("y",)), [entries([1])])
    assert [each.outputs for each in one.requests] == [["y"]]


@pytest.mark.parametrize("priority", [0, 1, 7])
def test_the_priority_of_a_module_is_told_to_the_server(run: Run, one: Scripted, priority: int) -> None:
    run(One(model="m", priority=priority), [entries([1])])
    assert [each.priority for each in one.requests] == [priority]


@pytest.mark.parametrize("compression", ["", "gzip", "deflate"])
def test_the_compression_of_a_module_is_used(run: Run, one: Scripted, compression: Any) -> None:
    run(One(model="m", compression=compression), [entries([1])])
    assert [each.compression for each in one.requests] == [compression]


def test_the_timeout_of_a_module_is_told_to_the_server(run: Run, one: Scripted) -> None:
    run(One(model="m", timeout=7.0), [entries([1])])
    assert one.requests[0].seconds == pytest.approx(7.0, abs=0.5)


@MODES
def test_the_batch_size_of_a_module_is_what_each_request_has_at_most(run: Run, one: Scripted, mode: Any) -> None:
    output = run(One(model="m", batch_size=2), [entries([1, 2, 3, 4, 5])], mode=mode)
    assert output.rows[0].products["module"] == [2, 4, 6, 8, 10]
    assert sorted(each.x for each in one.requests) == [[1, 2], [3, 4], [5]]


def test_a_module_that_tries_once_asks_once(run: Run, one: Scripted) -> None:
    one.at_once = lambda held: held.fail("RESOURCE_EXHAUSTED", "too many")
    with pytest.raises(ModuleError, match="too many"):
        run(One(model="m", tries=1), [entries([1])])
    assert len(one.requests) == 1


def test_a_module_that_tries_three_times_asks_three_times(run: Run, one: Scripted) -> None:
    one.at_once = lambda held: held.fail("RESOURCE_EXHAUSTED", "too many")
    with pytest.raises(ModuleError, match="too many"):
        run(One(model="m", tries=3), [entries([1])])
    assert len(one.requests) == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": None}, "timeout"),
        ({"tries": -1}, "tries"),
        ({"priority": -1}, "priority"),
        ({"batch_size": -1}, "batch_size"),
        ({"hedge_after": 0}, "hedge_after"),
        ({"compression": "zip"}, "compression"),
        ({"requested_outputs": "y"}, "requested_outputs"),
        ({"model": ""}, "model"),
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_an_error_before_anything_is_asked(
    run: Run, one: Scripted, options: Any, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        run(One(**{"model": "m"} | options))
    assert not one.calls


@pytest.mark.parametrize("count", [3, np.int64(3), (3, 1), [3, 1]], ids=repr)
def test_a_buffer_is_an_array_for_an_input(run: Run, one: Scripted, count: Any) -> None:
    class Filled(One):
        def acquire(self, event: Event) -> Tensors:
            x = self.buffer("x", count)
            x[...] = event[self.entries][0]
            return {"x": x}

    assert run(Filled(model="m"), [entries([4, 5, 6])]).rows[0].products["module"] == [8, 10, 12]


@pytest.mark.parametrize(
    ("name", "count", "text"),
    [
        ("z", 3, "there is no input 'z', there is 'x'"),
        ("x", (3, 2), "no input x FP32[-1,1] has the shape [3, 2]: give all its dimensions"),
        ("x", (3,), "no input x FP32[-1,1] has the shape [3]: give all its dimensions"),
        ("x", -1, "no input x FP32[-1,1] has the shape [-1, 1]: give all its dimensions"),
    ],
)
def test_a_buffer_for_no_input_of_the_model_says_what_there_is(run: Run, name: str, count: Any, text: str) -> None:
    class Wrong(One):
        def acquire(self, event: Event) -> Tensors:
            return {"x": self.buffer(name, count)}

    with pytest.raises(ModuleError) as raised:
        run(Wrong(model="m"), [entries([1])])
    assert text in str(raised.value)
    assert raised.value.step == "acquire"


@MODES
def test_an_event_that_is_given_up_takes_its_requests_along(run: Run, one: Scripted, mode: Any) -> None:
    one.at_once = None
    output = ListOutput(keep=["module"])
    job = Job(
        "t",
        source=ListSource([entries([1], [2])]),
        modules={"module": Doubled(model="m")},
        paths={"p": ["module"]},
        outputs=[output],
        servers=["one:8001"],
        deadline=0.15,
        on_error="skip",
    )
    job.run(mode)
    assert len(one.requests) == 2
    assert not one.held


def test_all_modules_of_a_job_share_one_client(one: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(
        connect, "TritonClient", lambda servers, **more: made.append(client_of(one, **more)) or made[-1]
    )
    modules = {"a": One(model="m"), "b": One(model="m"), "c": Doubled(model="m")}
    source = ListSource([entries([1])])
    Job("t", source=source, modules=modules, paths={"p": list(modules)}, servers=["one:8001"]).run()
    assert (len(made), one.asked("ModelMetadata")) == (1, 1)
    with pytest.raises(Exception, match="this client is closed"):
        asyncio.run(made[0].metadata("m"))
