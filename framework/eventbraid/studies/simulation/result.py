"""What a simulation gives: rates and times of the stretch in which all clients were at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eventbraid.studies.simulation.log import Batches, Log, Spans
from eventbraid.studies.simulation.study import Study
from eventbraid.studies.spans import events_within, overlap

__all__ = ["Result", "ServerUse", "Times", "result_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Times:
    """How long things took, in seconds, of those that ended in the stretch; all 0 where there are none."""

    count: int
    mean: float
    median: float
    p5: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Floats) -> Times:
        """Of any number of durations."""
        if not seconds.size:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        median, p5, p95, p99 = (float(each) for each in np.percentile(seconds, (50, 5, 95, 99)))
        return cls(seconds.size, float(seconds.mean()), median, p5, p95, p99)


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What one server did in the stretch."""

    busy: float
    """The share of their time in which its GPUs executed something."""
    rows_per_batch: float
    batches_per_second: float
    rows_per_second: float
    waiting: float
    """Requests that waited to be executed, mean over the time."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one number of clients.

    `stretch` is from when to when it was measured: what is before is settling, and after it some clients have no more
    events to begin. Events and failures are those of the whole simulation.
    """

    clients: int
    stretch: tuple[float, float]
    events_per_second: float
    """The time from one end of a client to its next counts with the share of it that lies in the stretch."""
    requests_per_second: float
    """As many as an event has."""
    modules: tuple[Times, ...]
    """In their order."""
    event: Times
    request: Times
    """From the call to the answer, all tries together."""
    servers: Mapping[str, ServerUse]
    events: int
    """That ended well."""
    lost: int
    """Events of which a request got no answer."""
    failures: Mapping[str, int]
    """Tries that failed, by what they failed with."""
    seconds: float
    """Simulated."""
    wall: float = field(compare=False)
    """What the simulation took, CPU time."""


def result_of(study: Study, log: Log, seconds: float, settle: float, wall: float) -> Result:
    """The result of what was logged; `settle` is the share of the clients' common time that does not count."""
    end = min(log.first_ends, seconds)
    start = settle * end
    length = max(end - start, 1e-12)
    events, calls = (_within(spans, start, end) for spans in (log.events, log.calls))
    rate = events_within(np.frombuffer(log.clients, np.int64), *_floats(log.events), start, end) / length
    ended = len(log.events.ended)
    return Result(
        study.clients,
        (start, end),
        rate,
        rate * len(log.calls.ended) / ended if ended else calls.size / length,
        tuple(Times.of(_within(log.modules[n], start, end)) for n in range(len(study.client.modules))),
        Times.of(events),
        Times.of(calls),
        {
            each.name: _use(log.batches[each.name], log.waiting[each.name], start, end, each.device.gpus)
            for each in study.servers
        },
        ended,
        log.lost,
        dict(sorted(log.failures.items())),
        seconds,
        wall,
    )


def _within(spans: Spans, start: float, end: float) -> Floats:
    """How long those took that ended between two times."""
    began, ended = _floats(spans)
    chosen = (ended > start) & (ended <= end)
    return ended[chosen] - began[chosen]


def _floats(spans: Spans) -> tuple[Floats, Floats]:
    return np.frombuffer(spans.began), np.frombuffer(spans.ended)


def _use(batches: Batches, waiting: Spans, start: float, end: float, gpus: int) -> ServerUse:
    length = max(end - start, 1e-12)
    ended, seconds, rows = (np.frombuffer(each) for each in (batches.ended, batches.seconds, batches.rows))
    chosen = (ended > start) & (ended <= end)
    count, all_rows = int(chosen.sum()), float(rows[chosen].sum())
    return ServerUse(
        busy=overlap(ended - seconds, ended, start, end) / (length * gpus),
        rows_per_batch=all_rows / count if count else 0.0,
        batches_per_second=count / length,
        rows_per_second=all_rows / length,
        waiting=overlap(*_floats(waiting), start, end) / length,
    )
