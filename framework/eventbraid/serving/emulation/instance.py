"""A model's copies on emulated GPUs: one that takes the time of a GPU, and one that answers with zeros."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.kserve.tensors import NUMPY_TYPES
from eventbraid.serving.backends.base import Instance, Reply, Request
from eventbraid.serving.emulation.clock import Clock, Pace, ServiceTime

__all__ = ["Emulated", "Zeros", "ready"]


def ready(requests: Sequence[Request], now: float, delay: float = 0.0, full: Collection[int] = ()) -> float:
    """Since when a batch could be executed: since its newest request came, where it has one of the `full` numbers of
    rows, else since its oldest had waited for others for `delay` seconds."""
    came = [request.since for request in requests]
    if sum(request.rows for request in requests) in full:
        return max(came)
    return min(now, max(*came, min(came) + delay))


class Emulated:
    """An instance on an emulated GPU: its answers are there when the GPU would have them.

    The time in which they are computed counts within that; where it falls behind, `say` is told once. `delay` and
    `full` are those of the model's batches: for how long one waits for more requests (seconds), and with how many rows
    it does not.
    """

    def __init__(
        self,
        instance: Instance,
        service: ServiceTime,
        clock: Clock,
        *,
        delay: float = 0.0,
        full: Collection[int] = (),
        say: Callable[[str], None] = lambda _: None,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._instance = instance
        self._service = service
        self._clock = clock
        self._delay, self._full = delay, full
        self._pace = Pace(say)
        self._closed = closed

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """The instance's answers, once their time on the GPU is over."""
        start = self._clock.now()
        rows = sum(request.rows for request in requests)
        seconds = self._service.seconds(rows)
        end = self._clock.take(ready(requests, start, self._delay, self._full), seconds)
        try:
            replies = self._instance.execute(requests)
            self._pace.computed(rows, self._clock.now() - start, seconds)
        finally:
            self._clock.wait(end)
        return replies

    def close(self) -> None:
        """Close the instance; `closed` is told, and its GPU stays."""
        try:
            self._instance.close()
        finally:
            self._closed()


class Zeros:
    """An instance that computes nothing: zeros, empty strings, in the shapes that the metadata say.

    The first dimension of a model that `batches` is the request's rows; others that may have any size are 1.
    """

    def __init__(self, metadata: ModelMetadata, batches: bool) -> None:
        self._outputs = metadata.outputs
        self._batches = batches

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """An answer of zeros to each."""
        return [self._answer(request) for request in requests]

    def close(self) -> None:
        """Nothing is held."""

    def _answer(self, request: Request) -> Reply:
        wanted = request.wanted or [spec.name for spec in self._outputs]
        return Reply({spec.name: self._zeros(spec, request.rows) for spec in self._outputs if spec.name in wanted})

    def _zeros(self, spec: TensorSpec, rows: int) -> NDArray[Any]:
        shape = [1 if size == -1 else size for size in spec.shape]
        if self._batches:
            shape[0] = rows
        if spec.dtype == "BYTES":
            return np.full(shape, b"", object)
        return np.zeros(shape, NUMPY_TYPES[spec.dtype])
