"""The job that is disturbed: three requests an event, one of them of another's answer, one of 100 kB both ways."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from networks import make_repository, tensor, write
from numpy.typing import NDArray
from onnx import TensorProto, helper

from eventbraid import Event, Input, Job, Output, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput

Array = NDArray[np.float32]
LARGE = (500, 50)
"""Rows and columns of the large request."""


async def at_once() -> None:
    """An event's turn where nothing holds it."""


class Sums(InferenceProducer):
    """The sum of each row."""

    rows = Input[Array]("rows")
    sums = Output[Array]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.rows]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.sums] = response["total"][:, 0].copy()


class All(InferenceProducer):
    """The sum of all numbers."""

    numbers = Input[Array]("sums")
    total = Output[Array]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.numbers]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = response["y"].copy()


class Doubles(InferenceProducer):
    """The checksum of the doubles of many numbers."""

    rows = Input[Array]("rows")
    checksum = Output[int]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.rows]}

    async def produce(self, event: Event, response: Tensors) -> None:
        doubles = response["y"]
        assert doubles.shape == LARGE
        event[self.checksum] = zlib.crc32(doubles)


def models(folder: Path) -> Path:
    """The models of the job: two of those of other tests, and `double`."""
    made = folder / "models"
    write(
        made,
        "double",
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [tensor("x", TensorProto.FLOAT, "n", LARGE[1])],
        [tensor("y", TensorProto.FLOAT, "n", LARGE[1])],
        "max_batch_size: 1024\n",
    )
    others = make_repository(folder / "others")
    for name in ("sum", "one"):
        (others / name).rename(made / name)
    return made


def make_job(
    events: int,
    *,
    servers: Sequence[Any] = (),
    models: Sequence[Path] = (),
    turn: Callable[[], Awaitable[None]] = at_once,
    streams: int = 16,
    **options: Any,
) -> tuple[Job, ListOutput]:
    """The job and its output; `options` are those of its requests. Its numbers are whole, and so its sums exact."""

    class Numbers(Producer):
        kind = "shared"
        rows = Output[Array]()
        many = Output[Array]()

        async def produce(self, event: Event) -> None:
            await turn()
            drawn = np.random.default_rng(event.id.event)
            event[self.rows] = drawn.integers(-9, 9, (drawn.integers(1, 9), 3)).astype(np.float32)
            event[self.many] = drawn.integers(-9, 9, LARGE).astype(np.float32)

    output = ListOutput(keep=["sums", "total", "large"])
    job = Job(
        "chaos",
        source=EmptySource(events=events),
        modules={
            "numbers": Numbers(),
            "sums": Sums(model="sum", rows="numbers.rows", **options),
            "total": All(model="one", **options),
            "large": Doubles(model="double", rows="numbers.many", **options),
        },
        paths={"all": ["total", "large"]},
        outputs=[output],
        servers=servers,
        models=models,
        streams=streams,
    )
    return job, output


MODELS = ("sum", "one", "double")
REQUESTS = len(MODELS)
"""Of an event, where nothing fails."""

Products = list[tuple[int, list[float], float, int]]


def products_of(output: ListOutput) -> Products:
    """Each event's number and its products, as they were written."""
    return [
        (row.id.event, row.products["sums"].tolist(), row.products["total"].item(), row.products["large"])
        for row in output.rows
    ]
