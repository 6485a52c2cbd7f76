"""A loaded model: who is executed, when, by which copy, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Semaphore

import numpy as np
import pytest

from eventbraid.kserve import ModelMetadata
from eventbraid.kserve.config import parse_config
from eventbraid.serving.backends.base import Reply, Request
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.models.model import Model
from eventbraid.serving.repository.layout import ModelEntry

BATCHED = "max_batch_size: 8 dynamic_batching { }"


class Held:
    """A copy of a model that executes a batch when the test says so: it doubles, and says what it was given."""

    def __init__(self) -> None:
        self.go = Semaphore(0)
        self.given: list[list[Request]] = []
        self.closed = False
        self.answer: Callable[[Request], Reply] = lambda request: Reply({"y": 2 * request.inputs["x"]})

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        self.given.append(list(requests))
        self.go.acquire()
        return [self.answer(each) for each in requests]

    def close(self) -> None:
        self.closed = True


def row(value: float, count: int = 1, **options: float) -> Request:
    return Request({"x": np.full((count, 1), value, np.float32)}, count, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def model_of(text: str, *copies: Held) -> AsyncIterator[Model]:
    config = parse_config(text, "config.pbtxt")
    metadata = ModelMetadata("m", ("1",), (), (), config.max_batch_size, config)
    model = Model(ModelEntry("m", {"1": Path("model.onnx")}, config, metadata), "1", [lambda c=c: c for c in copies])
    await model.start()
    try:
        yield model
    finally:
        for each in copies:
            each.go.release(1000)
        await model.stop()
        assert all(each.closed for each in copies)


async def turns(condition: Callable[[], object]) -> None:
    """Let the others run until it holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # of another thread
            await asyncio.sleep(0)


def ask(model: Model, *requests: Request) -> list[asyncio.Task[Reply]]:
    return [asyncio.create_task(model.infer(each)) for each in requests]


async def test_requests_that_come_together_are_one_batch_and_each_gets_its_answer() -> None:
    held = Held()
    async with model_of(BATCHED, held) as model:
        asked = ask(model, row(1), row(2, 2), row(3))
        held.go.release()
        answers = await asyncio.gather(*asked)
    assert [each.outputs["y"].tolist() for each in answers] == [[[2]], [[4], [4]], [[6]]]
    assert [len(each) for each in held.given] == [3]
    counted = model.statistics
    assert (counted.inferences, counted.executions, counted.success.count, counted.queue.count) == (4, 1, 3, 3)
    assert {size: each.infer.count for size, each in counted.batches.items()} == {4: 1}


async def test_the_batch_grows_while_another_is_executed() -> None:
    held = Held()
    async with model_of(BATCHED, held) as model:
        asked = ask(model, row(1))
        await turns(lambda: held.given)
        asked += ask(model, row(2), row(3), row(4, 7))
        await turns(lambda: model.waiting == 3)
        held.go.release(3)
        await asyncio.gather(*asked)
    assert [[each.rows for each in batch] for batch in held.given] == [[1], [1, 1], [7]]


async def test_each_copy_executes_a_batch_of_its_own() -> None:
    one, two = Held(), Held()
    async with model_of("max_batch_size: 8", one, two) as model:
        asked = ask(model, row(1), row(2), row(3))
        await turns(lambda: one.given and two.given)
        assert model.waiting == 1
        one.go.release(5)
        two.go.release(5)
        await asyncio.gather(*asked)
    assert len(one.given) + len(two.given) == 3


async def test_a_request_that_is_cancelled_while_it_waits_is_never_executed() -> None:
    held = Held()
    async with model_of(BATCHED, held) as model:
        first = ask(model, row(1))
        await turns(lambda: held.given)
        others = ask(model, gone := row(2), stays := row(3))
        await turns(lambda: model.waiting == 2)
        others[0].cancel()
        await asyncio.wait(others[:1])
        assert gone.cancelled
        held.go.release(2)
        await asyncio.gather(*first, others[1])
    assert held.given[1:] == [[stays]]
    assert (model.statistics.success.count, model.statistics.fail.count) == (2, 0)


async def test_one_that_is_cancelled_while_it_is_executed_is_told_so_and_harms_no_other() -> None:
    held = Held()
    async with model_of(BATCHED, held) as model:
        asked = ask(model, gone := row(1), row(2))
        await turns(lambda: held.given)
        asked[0].cancel()
        await asyncio.wait(asked[:1])
        assert gone.cancelled
        held.go.release()
        assert (await asked[1]).outputs["y"].tolist() == [[4]]


async def test_the_failure_of_a_batch_is_the_answer_to_all_its_requests_and_the_next_is_executed() -> None:
    held = Held()

    def fail(request: Request) -> Reply:
        raise ValueError("no")

    async with model_of(BATCHED, held) as model:
        held.answer = fail
        held.go.release(5)
        answers = await asyncio.gather(*ask(model, row(1), row(2)), return_exceptions=True)
        assert [str(each) for each in answers] == ["no", "no"]
        held.answer = lambda request: Reply({"y": request.inputs["x"]})
        assert (await model.infer(row(3))).outputs["y"].tolist() == [[3]]
    assert (model.statistics.fail.count, model.statistics.success.count, model.statistics.executions) == (2, 1, 2)


async def test_an_error_of_one_request_is_its_own() -> None:
    held = Held()
    async with model_of(BATCHED, held) as model:
        held.answer = lambda request: (
            Reply(error=ModelFailure("two", "NOT_FOUND")) if request.inputs["x"][0] == 2 else Reply()
        )
        held.go.release()
        good, bad = await asyncio.gather(*ask(model, row(1), row(2)), return_exceptions=True)
    assert isinstance(good, Reply)
    assert isinstance(bad, ModelFailure)
    assert (model.statistics.inferences, model.statistics.executions) == (1, 1)


async def test_priorities_are_served_first() -> None:
    held = Held()
    text = "max_batch_size: 1 dynamic_batching { priority_levels: 2 default_priority_level: 2 }"
    async with model_of(text, held) as model:
        asked = ask(model, row(1))
        await turns(lambda: held.given)
        asked += ask(model, row(2), row(3, priority=1))
        await turns(lambda: model.waiting == 2)
        held.go.release(3)
        await asyncio.gather(*asked)
    assert [batch[0].inputs["x"][0, 0] for batch in held.given] == [1, 3, 2]


async def test_too_many_and_too_late_ones_are_refused_and_counted() -> None:
    held = Held()
    policy = "max_queue_size: 1 default_timeout_microseconds: 1000"
    text = f"max_batch_size: 1 dynamic_batching {{ default_queue_policy {{ {policy} }} }}"
    async with model_of(text, held) as model:
        first = ask(model, row(1))
        await turns(lambda: held.given)
        late = ask(model, row(2))
        await turns(lambda: model.waiting)
        with pytest.raises(ModelFailure, match="Exceeds maximum queue size"):
            await model.infer(row(3))
        with pytest.raises(ModelFailure, match="Request timeout expired"):
            await late[0]
        held.go.release()
        await first[0]
    assert model.statistics.rejected == model.statistics.fail.count == 2


async def test_a_stop_answers_what_waits() -> None:
    held = Held()
    async with model_of("max_batch_size: 1", held) as model:
        asked = ask(model, row(1), row(2))
        await turns(lambda: held.given)
    assert all(each.done() for each in asked)
    assert [each.result().outputs["y"].tolist() for each in asked] == [[[2]], [[4]]]


async def test_a_copy_that_cannot_be_made_is_the_models_failure_and_leaves_no_other() -> None:
    held = Held()

    def fail() -> Held:
        raise RuntimeError("no memory")

    config = parse_config("", "config.pbtxt")
    entry = ModelEntry("m", {"1": Path("model.onnx")}, config, ModelMetadata("m", ("1",), (), ()))
    model = Model(entry, "1", [lambda: held, fail])
    with pytest.raises(RuntimeError, match="no memory"):
        await model.start()
    assert held.closed
