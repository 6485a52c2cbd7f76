"""What scheduling a module costs: W1, through the public contract, against the floor and asyncio.gather.

W1 is 10,000 events of 20 modules in 5 layers, each module adding its two inputs, 8 events in flight; nothing
suspends. The floor is the cheapest thing that could be called a framework: plain functions in a fixed order
with list slots and no event loop. Rounds are interleaved; a figure is the median over the rounds with its
spread, and a ratio is taken within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from eventbraid import Event, EventID, Input, Job, Output, Producer
from eventbraid.sources import Entry, Source

LAYERS, WIDTH, IN_FLIGHT = 5, 4, 8
MODULES = LAYERS * WIDTH


class Numbers(Source):
    """Four numbers an event."""

    blocking = False
    a = Output[int]()
    b = Output[int]()
    c = Output[int]()
    d = Output[int]()

    def __init__(self, events: int) -> None:
        super().__init__()
        self.events = events

    def partitions(self) -> Iterator[Iterator[Entry]]:
        yield (Entry(EventID(1, 1, n + 1), {"a": n, "b": n, "c": n, "d": n}) for n in range(self.events))


class Add(Producer):
    """Adds two products, as an `async def` module."""

    left = Input[int]()
    right = Input[int]()
    total = Output[int]()

    async def produce(self, event: Event) -> None:
        event[self.total] = event[self.left] + event[self.right]


class AddPlainly(Producer):
    """The same as a plain `def`."""

    left = Input[int]()
    right = Input[int]()
    total = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.total] = event[self.left] + event[self.right]


def names() -> list[tuple[str, str, str]]:
    """(left, right, label) of each module."""
    wiring: list[tuple[str, str, str]] = []
    before = ["a", "b", "c", "d"]
    for layer in range(LAYERS):
        labels = [f"m{layer}{column}" for column in range(WIDTH)]
        wiring += [(before[n], before[(n + 1) % WIDTH], label) for n, label in enumerate(labels)]
        before = labels
    return wiring


def job_of(module: type[Add] | type[AddPlainly], events: int) -> Job:
    modules = {label: module(left=left, right=right) for left, right, label in names()}
    return Job("w1", source=Numbers(events), modules=modules, paths={"all": list(modules)}, streams=IN_FLIGHT)


def floor(events: int) -> float:
    """Plain functions over list slots."""
    slots = {name: n for n, name in enumerate("abcd")}
    functions: list[Callable[[list[int]], None]] = []
    for left, right, label in names():
        slots[label] = len(slots)

        def add(event: list[int], a: int = slots[left], b: int = slots[right], out: int = slots[label]) -> None:
            event[out] = event[a] + event[b]

        functions.append(add)
    size = len(slots)
    start = perf_counter()
    for number in range(events):
        event = [0] * size
        event[0] = event[1] = event[2] = event[3] = number
        for function in functions:
            function(event)
    return perf_counter() - start


def gather(events: int) -> float:
    """asyncio.gather over each layer, 8 events in flight."""
    layers = [names()[n : n + WIDTH] for n in range(0, MODULES, WIDTH)]

    async def add(event: dict[str, int], left: str, right: str, label: str) -> None:
        event[label] = event[left] + event[right]

    async def lane(lane_events: int) -> None:
        for number in range(lane_events):
            event = dict.fromkeys("abcd", number)
            for layer in layers:
                await asyncio.gather(*(add(event, *module) for module in layer))

    async def main() -> float:
        start = perf_counter()
        await asyncio.gather(*(lane(events // IN_FLIGHT) for _ in range(IN_FLIGHT)))
        return perf_counter() - start

    return asyncio.run(main())


def braided(module: type[Add] | type[AddPlainly], events: int, timing: bool = False) -> float:
    """The same work as a job."""
    report = job_of(module, events).run(timing=timing)
    assert report.events.read == events
    return report.seconds


def measure(events: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds a module in each round."""
    works: dict[str, tuple[Callable[[int], float], int]] = {
        "floor: plain functions, no loop": (floor, events),
        "eventbraid, async def": (lambda n: braided(Add, n), events),
        "eventbraid, plain def": (lambda n: braided(AddPlainly, n), events),
        "eventbraid, async def, timing on": (lambda n: braided(Add, n, timing=True), events),
        "asyncio.gather a layer": (gather, max(IN_FLIGHT, events // 10)),
    }
    costs: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (work, count) in works.items():
            costs[name].append(work(count) / (count // IN_FLIGHT * IN_FLIGHT) / MODULES * 1e6)
    return costs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    costs = measure(arguments.events, arguments.rounds)
    base, peer = costs["floor: plain functions, no loop"], costs["asyncio.gather a layer"]
    rows: list[dict[str, object]] = []
    ours = (math.inf, 0.0)
    print(f"W1, Python {platform.python_version()}, {arguments.events} events, {arguments.rounds} rounds")
    print(f"{'':36} {'us a module':>20} {'x floor':>22} {'gather is x':>12}")
    for name, values in costs.items():
        ratios = sorted(value / reference for value, reference in zip(values, base, strict=True))
        cheaper = statistics.median(reference / value for value, reference in zip(values, peer, strict=True))
        middle, ratio = statistics.median(values), statistics.median(ratios)
        print(
            f"{name:36} {middle:7.3f} ({min(values):.3f}-{max(values):.3f})"
            f" {ratio:7.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}) {cheaper:10.1f}"
        )
        if name == "eventbraid, async def":
            ours = (ratio, cheaper)
        rows.append({"name": name, "us": values, "x_floor": ratio, "gather_is_x": cheaper})
    held = ours[0] <= 6 and ours[1] >= 10
    print(f"target: at most 6 x floor, gather at least 10 x: {'held' if held else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "overhead", "rows": rows, "held": held}, indent=2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
