"""What scheduling a module costs: W1, through the public contract, against the floor and other schedulers.

W1 is 10,000 events of 20 modules in 5 layers, each module adding its two inputs, 8 events in flight; nothing
suspends. The floor is the cheapest thing that could be called a framework: plain functions in a fixed order
with list slots and no event loop. The public contract alone is the same job with nothing that schedules: its events
read, its modules called in order, typed reads and puts; no scheduler can cost less. Rounds are interleaved; a figure
is the median over the rounds with its spread, and a ratio is taken within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from eventbraid import Event, EventID, Input, Job, Output, Producer
from eventbraid.sources import Entry, Source
from eventbraid.studies.replay.called import called_per_second

LAYERS, WIDTH, IN_FLIGHT = 5, 4, 8
ROUND = itertools.count()
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


def called(module: type[Add] | type[AddPlainly], events: int) -> float:
    """The source's entries, events, typed reads and puts, the modules called in order: the contract by itself."""
    return events / called_per_second(job_of(module, events), events)


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


def tasks(events: int) -> float:
    """A task a module, which waits for the tasks of its two inputs, 8 events in flight."""

    async def add(left: asyncio.Task[int] | int, right: asyncio.Task[int] | int) -> int:
        first = left if isinstance(left, int) else await left
        return first + (right if isinstance(right, int) else await right)

    async def lane(lane_events: int) -> None:
        for number in range(lane_events):
            event: dict[str, asyncio.Task[int] | int] = dict.fromkeys("abcd", number)
            for left, right, label in names():
                event[label] = asyncio.create_task(add(event[left], event[right]))
            await asyncio.wait([task for task in event.values() if not isinstance(task, int)])

    async def main() -> float:
        start = perf_counter()
        await asyncio.gather(*(lane(events // IN_FLIGHT) for _ in range(IN_FLIGHT)))
        return perf_counter() - start

    return asyncio.run(main())


def dask_threaded(events: int) -> float:
    """dask's threaded scheduler on the raw graph of an event."""
    from dask.threaded import get

    def add(left: int, right: int) -> int:
        return left + right

    graph: dict[str, object] = {label: (add, left, right) for left, right, label in names()}
    last = [label for _, _, label in names()[-WIDTH:]]
    start = perf_counter()
    for number in range(events):
        get({**graph, **dict.fromkeys("abcd", number)}, last)
    return perf_counter() - start


def hamilton(events: int) -> float:
    """Hamilton's asynchronous driver, the modules as coroutine functions, 8 events in flight."""
    from hamilton import ad_hoc_utils, async_driver

    source = "".join(
        f"async def {label}({left}: int, {right}: int) -> int:\n    return {left} + {right}\n\n"
        for left, right, label in names()
    )
    space: dict[str, Callable[..., object]] = {}
    exec(source, space)
    functions = [space[label] for _, _, label in names()]
    last = [label for _, _, label in names()[-WIDTH:]]

    async def main() -> float:
        module = ad_hoc_utils.create_temporary_module(*functions, module_name=f"w1_{next(ROUND)}")
        driver = await async_driver.Builder().with_modules(module).build()

        async def lane(lane_events: int) -> None:
            for number in range(lane_events):
                await driver.execute(last, inputs=dict.fromkeys("abcd", number))

        start = perf_counter()
        await asyncio.gather(*(lane(events // IN_FLIGHT) for _ in range(IN_FLIGHT)))
        return perf_counter() - start

    return asyncio.run(main())


def braided(module: type[Add] | type[AddPlainly], events: int, timing: bool = False) -> float:
    """The same work as a job."""
    report = job_of(module, events).run(timing=timing)
    assert report.events.read == events
    return report.seconds


FLOOR = "floor: plain functions, no loop"
ASYNC, PLAIN, TIMED = "eventbraid, async def", "eventbraid, plain def", "eventbraid, async def, timing on"
CALLED = "the public contract, no scheduler"
GATHER = "asyncio.gather a layer"
PEERS = {"dask.threaded": ("dask", dask_threaded), "Hamilton AsyncDriver": ("hamilton", hamilton)}


def measure(events: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds a module in each round; the peers that are not installed are left out."""
    few = max(IN_FLIGHT, events // 10)
    works: dict[str, tuple[Callable[[int], float], int]] = {
        FLOOR: (floor, events),
        CALLED: (lambda n: called(AddPlainly, n), events),
        ASYNC: (lambda n: braided(Add, n), events),
        PLAIN: (lambda n: braided(AddPlainly, n), events),
        TIMED: (lambda n: braided(Add, n, timing=True), events),
        GATHER: (gather, few),
        "asyncio, a task a module": (tasks, few),
    }
    for name, (package, work) in PEERS.items():
        if find_spec(package) is not None:
            works[name] = (work, max(IN_FLIGHT, few // 10))
    costs: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (work, count) in works.items():
            costs[name].append(work(count) / (count // IN_FLIGHT * IN_FLIGHT) / MODULES * 1e6)
    return costs


def ratios(costs: dict[str, list[float]], name: str, reference: str) -> list[float]:
    """In each round what one costs over what another does, in rising order."""
    return sorted(value / other for value, other in zip(costs[name], costs[reference], strict=True))


TARGETS = (
    ("W1, async def, x floor", ASYNC, FLOOR, 4.5, 3.0),
    ("W1, plain def, x floor", PLAIN, FLOOR, 3.0, 2.0),
    ("W1, plain def, x the contract alone", PLAIN, CALLED, None, None),
    ("W1, timing on, x without", TIMED, ASYNC, 1.6, 1.3),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    costs = measure(arguments.events, arguments.rounds)
    rows: list[dict[str, object]] = []
    print(f"W1, Python {platform.python_version()}, {arguments.events} events, {arguments.rounds} rounds")
    print(f"{'':36} {'us a module':>20} {'x floor':>22}")
    for name, values in costs.items():
        over = ratios(costs, name, FLOOR)
        print(
            f"{name:36} {statistics.median(values):7.3f} ({min(values):.3f}-{max(values):.3f})"
            f" {statistics.median(over):7.2f} ({over[0]:.2f}-{over[-1]:.2f})"
        )
        rows.append({"name": name, "us": values, "x_floor": over})
    held = True
    for what, name, reference, target, stretch in TARGETS:
        over = ratios(costs, name, reference)
        middle = statistics.median(over)
        figure = f"{what}: {middle:.2f} ({over[0]:.2f}-{over[-1]:.2f})"
        if target is None or stretch is None:
            print(figure)
            continue
        held = held and middle <= target
        verdict = "stretch held" if middle <= stretch else "held" if middle <= target else "MISSED"
        print(f"{figure}; target {target}, stretch {stretch}: {verdict}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "overhead", "rows": rows, "held": held}, indent=2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
