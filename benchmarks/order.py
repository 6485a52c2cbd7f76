"""What the order of starting is worth: oldest event first, and within an event what leads to external work first.

The work is W2's (overlap.py) with modules that nothing waits for written before the chains: 12 modules an event of
0.4 ms of CPU, 3 external of 20 ms. The same job is run in three orders: ours; with what leads to external work last
within an event; with the newest event first. Few events are in flight, so that there is something to hide and little
to hide it with. A figure is the median over the rounds with its spread; rounds are interleaved. The latency of an event
is the time from its reading to its end.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Sequence
from heapq import heappush
from pathlib import Path

import overlap
from overlap import Away, First, Then, calibrated

import eventbraid.plan
import eventbraid.running
from eventbraid import EventID, Job, Producer, Report
from eventbraid.order import topological
from eventbraid.passage import Passage
from eventbraid.scheduler import Scheduler
from eventbraid.services import Listener
from eventbraid.sources import EmptySource

IN_FLIGHT = 4


def externals_last(before: Sequence[Sequence[int]], priority: Sequence[int]) -> list[int]:
    """The order of a plan with its priorities turned around."""
    return topological(before, [-each for each in priority])


class NewestFirst(Scheduler):
    """Of the events that can go on the newest goes on."""

    def _queue(self, passage: Passage) -> None:
        if passage is not self._at and passage.course.ready and not passage.queued:
            passage.queued = True
            heappush(self._ready, (-passage.event.number, passage))


class Latency(Listener):
    """The time of each event from its reading to its end, in seconds."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self.seconds: list[float] = []

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self._began[number] = time

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.seconds.append(time - self._began.pop(number))


def job_of(events: int) -> Job:
    modules: dict[str, Producer | Away] = {f"alone{n}": First() for n in range(6)}
    for chain in "abc":
        modules |= {
            f"{chain}1": First(),
            f"{chain}2": Away(before=f"{chain}1"),
            f"{chain}3": Then(before=f"{chain}2"),
        }
    source = EmptySource(events=events)
    return Job("order", source=source, modules=modules, paths={"all": list(modules)}, streams=IN_FLIGHT)


def measured(events: int, name: str) -> tuple[float, float]:
    """Events a second, and the median latency of an event in ms."""
    latency = Latency()
    eventbraid.plan.topological = externals_last if name == EXTERNALS_LAST else topological  # type: ignore[attr-defined]
    eventbraid.running.Scheduler = NewestFirst if name == NEWEST else Scheduler  # type: ignore[misc]
    try:
        report: Report = job_of(events).run(timing=False, listeners=[latency])
    finally:
        eventbraid.plan.topological = topological  # type: ignore[attr-defined]
        eventbraid.running.Scheduler = Scheduler  # type: ignore[misc]
    return report.events_per_second, statistics.median(latency.seconds) * 1e3


OURS, EXTERNALS_LAST, NEWEST = "ours", "external work last", "newest event first"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    overlap.First.steps = calibrated()
    print(f"order, Python {platform.python_version()}, {IN_FLIGHT} in flight, {arguments.rounds} rounds")
    found: dict[str, list[tuple[float, float]]] = {OURS: [], EXTERNALS_LAST: [], NEWEST: []}
    for _ in range(arguments.rounds):
        for name, values in found.items():
            values.append(measured(arguments.events, name))
    for name, values in found.items():
        rates = [ours[0] / other[0] for ours, other in zip(found[OURS], values, strict=True)]
        waits = [other[1] / ours[1] for ours, other in zip(found[OURS], values, strict=True)]
        print(
            f"{name:20} {statistics.median(rate for rate, _ in values):6.1f} events/s; ours is"
            f" {statistics.median(rates):.2f} ({min(rates):.2f}-{max(rates):.2f}) times as fast;"
            f" its latency {statistics.median(waits):.2f} ({min(waits):.2f}-{max(waits):.2f}) times ours"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "order", "found": found}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
