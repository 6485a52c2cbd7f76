"""What grows with a job: the cost of a module with their number and with the streams, memory with events.

All in the shape of W1 (overhead.py): layers of modules that each add two products. Where nothing suspends, the cost
of a module is compared for 10, 100 and 1,000 modules and for 8 and 1,000 streams; where every module is external with
work that returns at once, with W1's floor. Rounds are interleaved, and a ratio is taken within a round. Memory is what
one process keeps resident over many events, the first 10,000 apart; it is read where Linux tells it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import resource
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from overhead import IN_FLIGHT, MODULES, Add, Numbers, floor, job_of, names

from eventbraid import Event, ExternalProducer, Input, Job, Output
from eventbraid.sources import Entry

WIDTH, CALLS, WARM = 5, 200_000, 10_000
STATM = Path("/proc/self/statm")


class AddElsewhere(ExternalProducer[tuple[int, int], int]):
    """Adds two products by external work that returns at once."""

    left = Input[int]()
    right = Input[int]()
    total = Output[int]()

    async def acquire(self, event: Event) -> tuple[int, int]:
        return event[self.left], event[self.right]

    async def external_work(self, acquired: tuple[int, int]) -> int:
        return acquired[0] + acquired[1]

    async def produce(self, event: Event, result: int) -> None:
        event[self.total] = result


class Watched(Numbers):
    """Notes the resident memory after the first events and after the last."""

    megabytes: list[float]

    def partitions(self) -> Iterator[Iterator[Entry]]:
        self.megabytes = []
        for partition in super().partitions():
            yield self.watched(partition)

    def watched(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        for number, entry in enumerate(entries):
            if number == WARM:
                self.megabytes.append(resident())
            yield entry
        self.megabytes.append(resident())


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(STATM.read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def resident_growth(events: int) -> float:
    """Megabytes that W1 gains over some events after the first 10,000."""
    source = Watched(WARM + events)
    dataclasses.replace(job_of(Add, source.events), source=source).run(timing=False)
    first, last = source.megabytes
    return last - first


def layered(modules: int, streams: int) -> Job:
    """As W1, with layers of five, and as many events as make 200,000 calls of modules."""
    before = ["a", "b", "c", "d"]
    made: dict[str, Add] = {}
    for layer in range(modules // WIDTH):
        labels = [f"m{layer}_{column}" for column in range(WIDTH)]
        for n, label in enumerate(labels):
            made[label] = Add(left=before[n % len(before)], right=before[(n + 1) % len(before)])
        before = labels
    return Job("layers", source=Numbers(CALLS // modules), modules=made, paths={"all": list(made)}, streams=streams)


def elsewhere() -> Job:
    """W1 with every module external, and its work there at once."""
    made = {label: AddElsewhere(left=left, right=right) for left, right, label in names()}
    return Job("external", source=Numbers(500), modules=made, paths={"all": list(made)}, streams=IN_FLIGHT)


def cost(job: Job) -> float:
    """Microseconds a module."""
    report = job.run(timing=False)
    assert report.events.failed == 0
    return report.seconds / (report.events.read * len(job.modules)) * 1e6


def measure(rounds: int) -> dict[str, list[float]]:
    """Microseconds a module in each round."""
    works: dict[str, Callable[[], float]] = {
        "10 modules": lambda: cost(layered(10, IN_FLIGHT)),
        "100 modules": lambda: cost(layered(100, IN_FLIGHT)),
        "1,000 modules": lambda: cost(layered(1000, IN_FLIGHT)),
        "8 streams": lambda: cost(layered(MODULES, 8)),
        "1,000 streams": lambda: cost(layered(MODULES, 1000)),
        "floor: plain functions, no loop": lambda: floor(CALLS // MODULES) / CALLS * 1e6,
        "external work, there at once": lambda: cost(elsewhere()),
    }
    costs: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            costs[name].append(work())
    return costs


RATIOS = (
    ("100 modules", "10 modules", 1.3, 1.1),
    ("1,000 modules", "10 modules", 1.3, 1.1),
    ("1,000 modules", "100 modules", 1.3, 1.1),
    ("1,000 streams", "8 streams", 1.3, 1.1),
    ("external work, there at once", "floor: plain functions, no loop", 25.0, 12.0),
)
"""What is compared with what, the target and the stretch."""
MEGABYTES, STRETCH_MEGABYTES = 5.0, 1.0


def memory(events: int) -> dict[str, object]:
    """The row of the memory, measured in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        growth = process.submit(resident_growth, events).result()
    held = growth <= MEGABYTES
    print(
        f"memory over {events:,} events: {growth:+.2f} MB;"
        f" target {MEGABYTES:+}, stretch {STRETCH_MEGABYTES:+}: {'held' if held else 'MISSED'}"
    )
    return {"name": "memory", "events": events, "megabytes": growth, "held": held}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-events", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"W1's shape, Python {platform.python_version()}, {arguments.rounds} rounds")
    costs = measure(arguments.rounds)
    for name, values in costs.items():
        print(f"{name:36} {statistics.median(values):7.3f} ({min(values):.3f}-{max(values):.3f}) us a module")
    rows: list[dict[str, object]] = []
    for name, reference, target, stretch in RATIOS:
        ratios = [value / base for value, base in zip(costs[name], costs[reference], strict=True)]
        middle = statistics.median(ratios)
        held = middle <= target
        print(
            f"{name} are {middle:.2f} ({min(ratios):.2f}-{max(ratios):.2f}) x {reference};"
            f" target {target}, stretch {stretch}: {'held' if held else 'MISSED'}"
        )
        rows.append({"name": name, "reference": reference, "ratios": ratios, "held": held})
    if STATM.exists():
        rows.append(memory(arguments.memory_events))
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "growth", "us": costs, "rows": rows}, indent=2))
    return 0 if all(row["held"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
