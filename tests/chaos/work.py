"""The job that is disturbed: three requests an event, one of them with another's answer, one of 100 kB."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Job, Output, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput

Array = NDArray[np.float32]
LARGE = 25_000
"""Numbers in the large request."""


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


def make_job(
    events: int,
    *,
    servers: Sequence[str] = (),
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
            "large": All(model="one", numbers="numbers.many", **options),
        },
        paths={"all": ["total", "large"]},
        outputs=[output],
        servers=servers,
        models=models,
        streams=streams,
    )
    return job, output


REQUESTS = 3
"""Of an event, where nothing fails."""

Products = list[tuple[int, bytes, bytes, bytes]]


def products_of(output: ListOutput) -> Products:
    """Each event's number and the bytes of its products, as they were written."""
    return [
        (row.id.event, *(np.asarray(row.products[name]).tobytes() for name in ("sums", "total", "large")))
        for row in output.rows
    ]
