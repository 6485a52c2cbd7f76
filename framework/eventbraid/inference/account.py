"""What was asked of each model and server, and how long it took: for the job's report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import frexp, ldexp
from typing import Any, Final

__all__ = ["Account", "Durations", "Statistics", "split"]

PARTS: Final = 32
"""Buckets between a power of two and the next: a duration is known to three percent."""
LEAST: Final = 20
BUCKETS: Final = PARTS * (LEAST + 13)
"""From half a microsecond, a part of two to the minus 20 seconds, to an hour."""


class Durations:
    """How long things took, in fixed memory: quantiles to three percent."""

    __slots__ = ("_counts", "count", "seconds")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self.count = 0
        self.seconds = 0.0
        """All together."""

    def __repr__(self) -> str:
        return f"Durations({self.count}, median {self.quantile(0.5):.6f} s)"

    def add(self, seconds: float) -> None:
        """Take one into account."""
        self.count += 1
        self.seconds += seconds
        part, power = frexp(seconds or 1e-9)  # a part from a half to one
        place = PARTS * (power + LEAST - 1) + int(2 * PARTS * part)
        self._counts[0 if place < 0 else place if place < BUCKETS else BUCKETS - 1] += 1

    @property
    def mean(self) -> float:
        """Seconds; 0 where there is none."""
        return self.seconds / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """The seconds that this share of all took at most; 0 where there is none."""
        left = share * self.count
        for place, count in enumerate(self._counts):
            left -= count
            if left <= 0 < count:
                power, part = divmod(place, PARTS)
                return ldexp((PARTS + part + 0.5) / (2 * PARTS), power - LEAST)
        return 0.0

    def to_dict(self) -> dict[str, float]:
        """Mean and quantiles, in seconds."""
        return {
            "mean": self.mean,
            "p50": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a server says of a model since it was loaded: requests that succeeded, and their seconds all together."""

    requests: int = 0
    executions: int = 0
    queue: float = 0.0
    compute: float = 0.0

    @classmethod
    def of(cls, answer: Any) -> Statistics:
        """That of a ModelStatisticsResponse, all its versions together."""
        requests = executions = 0
        queue = compute = 0.0
        for each in answer.model_stats:
            stats = each.inference_stats
            requests += stats.success.count
            executions += each.execution_count
            queue += stats.queue.ns * 1e-9
            compute += (stats.compute_input.ns + stats.compute_infer.ns + stats.compute_output.ns) * 1e-9
        return cls(requests, executions, queue, compute)

    def since(self, before: Statistics) -> Statistics:
        """What came in between; a server that was started anew has counted from nothing."""
        if self.requests < before.requests:
            return self
        return Statistics(
            self.requests - before.requests,
            self.executions - before.executions,
            self.queue - before.queue,
            self.compute - before.compute,
        )


@dataclass(slots=True)
class Account:
    """The requests of one model on one server."""

    requests: int = 0
    """Those that were answered."""
    rows: int = 0
    tries: int = 0
    hedged: int = 0
    """Tries that were second ones, beside one that took long."""
    in_memory: int = 0
    """Requests with tensors in shared memory."""
    bytes_sent: int = 0
    """Of tensors."""
    bytes_received: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    """Tries that failed, by kind."""
    waited: Durations = field(default_factory=Durations)
    """For room on a server, before the request was sent."""
    latency: Durations = field(default_factory=Durations)
    """From sending to the answer."""

    def to_dict(self, seconds: float, server: Statistics | None) -> dict[str, Any]:
        """All of it, times in seconds; `server` is what the server says of the same time."""
        return {
            "requests": self.requests,
            "rows": self.rows,
            "tries": self.tries,
            "hedged": self.hedged,
            "in_memory": self.in_memory,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "bytes_per_second": (self.bytes_sent + self.bytes_received) / seconds if seconds else 0.0,
            "failures": dict(self.failures),
            "latency": self.latency.to_dict(),
            "split": split(self.waited.mean, self.latency.mean, server),
            "executions": server.executions if server is not None else None,
            "shared": server is not None and server.requests > self.tries,
        }


def split(waited: float, latency: float, server: Statistics | None) -> dict[str, float | None]:
    """Where the mean time of a request goes, in seconds: waiting in the client, network, server's queue, computing.

    The network's share is what the server does not account for, its handling of the message included.
    """
    if server is None or not server.requests:
        return {"client_queue": waited, "network": None, "server_queue": None, "server_compute": None}
    queue, compute = server.queue / server.requests, server.compute / server.requests
    return {
        "client_queue": waited,
        "network": max(latency - queue - compute, 0.0),
        "server_queue": queue,
        "server_compute": compute,
    }
