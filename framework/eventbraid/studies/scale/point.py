"""What so many clients gave together."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventbraid.errors import DataError
from eventbraid.studies.figures import quantile
from eventbraid.studies.spans import events_within

__all__ = ["Point", "point_of"]


@dataclass(frozen=True, slots=True)
class Point:
    """A number of clients, and of GPUs where the study emulates them; seconds, events a second."""

    clients: int
    gpus: int | None
    events: int
    """Read by all clients."""
    failed: int
    overlap: float
    """For how many seconds all clients had begun and none had ended, less what was let settle: rate and times are of
    this window."""
    events_per_second: float
    """Of all clients; the time from one end of a client to its next counts with the share of it that lies in the
    window."""
    event_seconds: float
    """From an event's reading to its end, median."""
    module_seconds: float
    """Of all modules with external work for an event, from acquire to the end of their last step, mean."""
    module_p95: float
    """95th percentile of one module's time for one event."""
    machine: float | None
    """The share of this machine's cores that was used, by whatever process; None where the system does not say."""
    server_queue: float | None
    """For which a request waited in the server, mean; None where the server does not say."""


def point_of(
    results: Sequence[Mapping[str, Any]], gpus: int | None, machine: float | None, settle: float = 0.0
) -> Point:
    """The figures of the clients' results; `settle` is the share of their common time that does not count.

    Raises `DataError` where no events of all of them overlapped.
    """
    events = [event for result in results for event in result["events"]]
    if not all(result["events"] for result in results):
        raise DataError("a client had no event: there is nothing to measure")
    begin = max(min(began for began, _ in result["events"]) for result in results)
    end = min(max(ended for _, ended in result["events"]) for result in results)
    begin += settle * (end - begin)
    ends = [sorted(ended for _, ended in result["events"] if begin < ended <= end) for result in results]
    if any(len(each) < 2 or each[0] == each[-1] for each in ends):
        raise DataError(
            f"a client had fewer than two events while all {len(results)} of them were at work: give them more"
        )
    within = [ended - began for began, ended in events if begin < ended <= end]
    clients = np.repeat(np.arange(len(results)), [len(result["events"]) for result in results])
    began, ended = np.array(events).T
    modules = [stop - start for result in results for start, stop in result["modules"] if begin < stop <= end]
    reports = [result["report"] for result in results]
    return Point(
        clients=len(results),
        gpus=gpus,
        events=sum(report["events"]["read"] for report in reports),
        failed=sum(report["events"]["failed"] for report in reports),
        overlap=end - begin,
        events_per_second=events_within(clients, began, ended, begin, end) / (end - begin),
        event_seconds=statistics.median(within),
        module_seconds=sum(modules) / len(within),
        module_p95=quantile(sorted(modules), 0.95),
        machine=machine,
        server_queue=_queue(reports),
    )


def _queue(reports: Sequence[Mapping[str, Any]]) -> float | None:
    """The statistics are of all clients' requests, so any client's means are of all of them."""
    asked = [each for report in reports for each in report["inference"].get("models", ())]
    known = [each for each in asked if each["split"]["server_queue"] is not None and each["requests"]]
    if not known:
        return None
    requests = sum(each["requests"] for each in known)
    return float(sum(each["requests"] * each["split"]["server_queue"] for each in known) / requests)
