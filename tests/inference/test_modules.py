"""Modules whose external work is a model: in a job, with a server of its own, with empty input, with mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eventbraid import Event, Input, Job, ModuleError, Output
from eventbraid.errors import RequestError, ServerUnavailable
from eventbraid.inference import InferenceFilter, InferenceProducer, Tensors
from eventbraid.running import Run
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])


class Sum(InferenceProducer):
    rows = Input[NDArray[np.float32]]("rows")
    total = Output[NDArray[np.float32]]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.rows]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = response["total"][:, 0]


class Large(InferenceFilter):
    rows = Input[NDArray[np.float32]]("rows")

    def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.rows]}

    def filter(self, event: Event, response: Tensors) -> bool:
        return bool(response["total"].sum() > 10)


def job(models: Sequence[Path], rows: Sequence[Any], **more: Any) -> Job:
    modules = more.pop("modules", {"sum": Sum(model="sum"), "large": Large(model="sum")})
    source = ListSource([{"rows": each} for each in rows])
    return Job("t", source=source, modules=modules, paths={"p": ["large", "sum"]}, models=models, **more)


@MODES
def test_a_job_that_names_no_server_starts_one_says_so_and_stops_it(repository: Path, mode: Any) -> None:
    said: list[str] = []
    output = ListOutput(keep=["sum"])
    rows = [np.full((n, 3), n, np.float32) for n in range(5)]
    made = job([repository], rows, outputs=[output])
    import asyncio

    asyncio.run(Run(made, mode, say=said.append).run())
    assert [row.path_results["p"].passed for row in output.rows] == [False, False, True, True, True]
    assert output.rows[3].products["sum"].tolist() == [9, 9, 9]
    assert any("no server is named: an embedded one is started at 127.0.0.1:" in line for line in said)


@MODES
def test_empty_input_makes_no_call_and_produce_still_runs(repository: Path, mode: Any) -> None:
    output = ListOutput(keep=["sum"])
    modules = {"sum": Sum(model="sum")}
    made = Job(
        "t",
        source=ListSource([{"rows": np.zeros((0, 3), np.float32)}]),
        modules=modules,
        paths={"p": ["sum"]},
        outputs=[output],
        models=[repository],
    )
    made.run(mode)
    assert output.rows[0].products["sum"].shape == (0,)


class One(Sum):
    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.rows]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = response["y"]


@MODES
def test_a_model_with_an_answer_for_empty_input_is_asked(repository: Path, mode: Any) -> None:
    output = ListOutput(keep=["one"])
    rows = [{"rows": np.zeros(0, np.float32)}, {"rows": np.ones(2, np.float32)}]
    Job(
        "t",
        source=ListSource(rows),
        modules={"one": One(model="one")},
        paths={"p": ["one"]},
        outputs=[output],
        models=[repository],
    ).run(mode)
    assert [row.products["one"].tolist() for row in output.rows] == [[0], [2]]


def test_empty_input_that_does_not_fit_is_an_error_too(repository: Path) -> None:
    with pytest.raises(ModuleError, match="is of type float64, not FP32"):
        job([repository], [np.zeros((0, 3))]).run()


@MODES
def test_a_model_that_nobody_serves_is_an_error_before_the_first_event(repository: Path, mode: Any) -> None:
    made = job(
        [repository], [np.ones((1, 3), np.float32)], modules={"sum": Sum(model="smu"), "large": Large(model="sum")}
    )
    with pytest.raises(RequestError, match="did you mean 'sum'") as raised:
        made.run(mode)
    assert "needed by module 'sum'" in raised.value.__notes__
    assert raised.value.report is None


def test_a_server_that_is_not_there_is_an_error_that_names_it() -> None:
    made = job([], [np.ones((1, 3), np.float32)], servers=["127.0.0.1:1"])
    with pytest.raises(ServerUnavailable, match=r"127\.0\.0\.1:1, model 'sum'"):
        made.run()


@MODES
def test_a_tensor_that_does_not_fit_fails_the_event_with_what_the_model_wants(repository: Path, mode: Any) -> None:
    with pytest.raises(ModuleError) as raised:
        job([repository], [np.ones((1, 2), np.float32)]).run(mode)
    assert raised.value.step == "external work"
    assert "input 'x' is of shape [1,2], not [-1,3]. The model takes x FP32[-1,3]" in str(raised.value)
