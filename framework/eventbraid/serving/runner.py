"""A loaded model: executes requests in a thread and keeps Triton's statistics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from eventbraid.kserve import Tensors
from eventbraid.kserve.rows import join, rows, split
from eventbraid.serving.batching import Batcher, Policy, Waiting
from eventbraid.serving.repository import ModelEntry
from eventbraid.serving.session import Session

__all__ = ["Runner", "Statistics"]


@dataclass(slots=True)
class Statistics:
    """Counts and times (seconds) of a model since it was loaded, as Triton counts them."""

    inferences: int = 0
    """Rows, or requests where the model has no batch."""
    executions: int = 0
    successes: int = 0
    failures: int = 0
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0
    total_seconds: float = 0.0


class Runner:
    """Executes one model, one batch at a time."""

    def __init__(self, entry: ModelEntry, pool: ThreadPoolExecutor, threads: int = 1) -> None:
        self.entry = entry
        self.statistics = Statistics()
        self._session = Session(entry.file, threads)
        self._pool = pool
        batching = entry.config.dynamic_batching
        most = entry.max_batch_size if entry.batches else 0
        policy = Policy(most, tuple(batching.preferred_batch_size), batching.max_queue_delay_microseconds * 1e-6)
        self._batcher = Batcher(policy, self._execute)

    async def run(self) -> None:
        """Serve requests until cancelled."""
        await self._batcher.run()

    async def infer(self, inputs: Tensors) -> Tensors:
        """All outputs of the model for one request."""
        start = perf_counter()
        try:
            outputs = await self._batcher.ask(inputs)
        except Exception:
            self.statistics.failures += 1
            raise
        self.statistics.successes += 1
        self.statistics.total_seconds += perf_counter() - start
        return outputs

    async def _execute(self, batch: list[Waiting]) -> None:
        statistics, start = self.statistics, perf_counter()
        statistics.queue_seconds += sum(start - request.since for request in batch)
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._pool, self._compute, [request.inputs for request in batch])
        except Exception as error:  # noqa: BLE001  # the requests' error, not the server's end
            for request in batch:
                if not request.answer.done():
                    request.answer.set_exception(error)
            return
        statistics.compute_seconds += (perf_counter() - start) * len(batch)
        statistics.executions += 1
        for request, answer in zip(batch, answers, strict=True):
            statistics.inferences += request.rows if self.entry.max_batch_size else 1
            if not request.answer.done():
                request.answer.set_result(answer)

    def _compute(self, requests: Sequence[Tensors]) -> list[Tensors]:
        names = [spec.name for spec in self.entry.metadata.outputs]
        outputs = self._session.run(join(requests), names)
        return split(outputs, [rows(request) for request in requests]) if self.entry.max_batch_size else [outputs]
