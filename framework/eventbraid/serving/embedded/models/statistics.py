"""What a model has done since it was loaded, counted as Triton counts it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from eventbraid.serving.embedded.models.worker import Batch

__all__ = ["Duration", "Statistics"]


@dataclass(slots=True)
class Duration:
    """How often, and how long all together, in seconds."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Once more, or `count` times that long each."""
        self.count += count
        self.seconds += seconds * count

    def write(self, message: Any) -> None:
        """Into a StatisticDuration."""
        message.count, message.ns = self.count, int(self.seconds * 1e9)


@dataclass(slots=True)
class Executions:
    """Batches of one size: the times until the model began, within it, and from its end to the answers."""

    input: Duration = field(default_factory=Duration)
    infer: Duration = field(default_factory=Duration)
    output: Duration = field(default_factory=Duration)


@dataclass(slots=True)
class Statistics:
    """Counts and times of one version of a model; the times of a batch are those of each of its requests."""

    inferences: int = 0
    """Rows, or requests where the model has no batch; of answers that were good."""
    executions: int = 0
    last: int = 0
    """Milliseconds since 1970 of the last request."""
    rejected: int = 0
    """Requests that were refused because too many waited, or too long; they failed too."""
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute: Executions = field(default_factory=Executions)
    batches: dict[int, Executions] = field(default_factory=lambda: defaultdict(Executions))

    def asked(self) -> None:
        """A request came."""
        self.last = int(time.time() * 1000)

    def refused(self, seconds: float) -> None:
        """A request waited in vain."""
        self.rejected += 1
        self.fail.add(seconds)

    def executed(self, batch: Batch, good: int, rows: int, now: float) -> None:
        """A batch is over; of its requests `good` ones, with `rows` rows, have answers that are no errors."""
        took = batch.began - batch.taken, batch.ended - batch.began, now - batch.ended
        for request in batch.requests:
            self.queue.add(batch.taken - request.since)
        self.executions += 1
        if good:
            self.inferences += rows
            size = self.batches[sum(each.rows for each in batch.requests)]
            for one, count in ((self.compute, good), (size, 1)):
                for duration, seconds in zip((one.input, one.infer, one.output), took, strict=True):
                    duration.add(seconds, count)

    def write(self, message: Any) -> None:
        """Into a ModelStatistics."""
        message.inference_count, message.execution_count = self.inferences, self.executions
        message.last_inference = self.last
        stats = message.inference_stats
        self.success.write(stats.success)
        self.fail.write(stats.fail)
        self.queue.write(stats.queue)
        self.compute.input.write(stats.compute_input)
        self.compute.infer.write(stats.compute_infer)
        self.compute.output.write(stats.compute_output)
        for size, each in sorted(self.batches.items()):
            made = message.batch_stats.add(batch_size=size)
            each.input.write(made.compute_input)
            each.infer.write(made.compute_infer)
            each.output.write(made.compute_output)
