"""Stand-ins for the algorithms of another framework: each burns CPU, or is away, for as long as its algorithm takes.

To burn is an amount of work that is fixed before anything runs, not a time, which would pass by itself while other work
has the core. An algorithm that is away is an external module: it burns half of its CPU work in acquire, is away by
sleeping, and burns the other half in produce.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, Final

from eventbraid.event import Event, EventID, Input, Output
from eventbraid.external_work import ExternalProducer
from eventbraid.job import Job
from eventbraid.module import Module, Producer
from eventbraid.parameters import Parameter
from eventbraid.sources.base import Entry, Source
from eventbraid.studies.replay.dataflow import Algorithm, Dataflow

__all__ = ["Work", "burn", "burns_per_second", "make_job", "make_works", "steps_per_second"]

BLOCK, NEEDLE = bytes(4096), b"ab"
SMALL: Final = 0xFF
"""Products are not larger: Python keeps such numbers ready."""


def burn(steps: int) -> None:
    """CPU work of a fixed amount: a step looks in a byte for what is not there, and takes about a nanosecond.

    It runs in C and makes no object: how fast Python code itself runs differs by a tenth and more with what else the
    process holds, and where.
    """
    blocks, rest = divmod(steps, len(BLOCK))
    for _ in itertools.repeat(None, blocks):
        BLOCK.count(NEEDLE)
    BLOCK.count(NEEDLE, 0, rest)


def steps_per_second(seconds: float = 0.3) -> float:
    """How fast this machine burns, as a median over some time."""
    steps, speeds, start = 100_000, list[float](), perf_counter()
    while perf_counter() < start + seconds:
        began = perf_counter()
        burn(steps)
        speeds.append(steps / (perf_counter() - began))
    return statistics.median(speeds)


@dataclass(frozen=True, slots=True)
class Work:
    """What a stand-in does: the steps that it burns, in two halves where it is away in between for some seconds."""

    steps: tuple[int, ...]
    away: float | None = None


def make_works(
    dataflow: Dataflow, times: Mapping[str, float], speed: float, away: Collection[str] = (), fraction: float = 0.0
) -> tuple[Work, ...]:
    """The work of each algorithm, from its seconds and steps a second; those `away` are so for a fraction of them."""

    def work(name: str) -> Work:
        seconds = times.get(name, 0.0)
        if name not in away:
            return Work((round(seconds * speed),))
        half = round(seconds * (1 - fraction) * speed / 2)
        return Work((half, half), seconds * fraction)

    return tuple(work(algorithm.name) for algorithm in dataflow.algorithms)


def burns_per_second(works: Iterable[Work], events: int) -> float:
    """Events a second of one core that only burns: the same calls of `burn`, one after the other in a plain loop."""
    burns = [steps for work in works for steps in work.steps]
    start = perf_counter()
    for _ in range(events):
        for steps in burns:
            burn(steps)
    return events / (perf_counter() - start)


class StandIn(Producer):
    """Reads every input, burns, puts every output."""

    work: ClassVar[Work]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.steps = self.work.steps[0]
        self.reads: Sequence[Input[int]] = tuple(self.tokens())
        self.puts: Sequence[Output[int]] = tuple(getattr(self, name) for name, _ in self.outputs())

    async def produce(self, event: Event) -> None:
        value = event.number
        for read in self.reads:
            value += event[read]
        burn(self.steps)
        for put in self.puts:
            event[put] = (value + 1) & SMALL


class AwayStandIn(ExternalProducer[int, int]):
    """Reads every input and burns, is away, burns and puts every output."""

    work: ClassVar[Work]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.first, self.then = self.work.steps
        self.away = self.work.away or 0.0
        self.reads: Sequence[Input[int]] = tuple(self.tokens())
        self.puts: Sequence[Output[int]] = tuple(getattr(self, name) for name, _ in self.outputs())

    async def acquire(self, event: Event) -> int:
        value = event.number
        for read in self.reads:
            value += event[read]
        burn(self.first)
        return value

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(self.away)
        return acquired

    async def produce(self, event: Event, result: int) -> None:
        burn(self.then)
        for put in self.puts:
            event[put] = (result + 1) & SMALL


class Loaded(Source):
    """Events with a number for each data that is there from the start."""

    blocking = False
    events = Parameter(1, ge=0, doc="how many events")

    def __init__(self, names: Sequence[str] = (), **settings: Any) -> None:
        self._outputs = {name: Output[int]() for name in names}
        super().__init__(**settings)

    def outputs(self) -> Iterator[tuple[str, Output[Any]]]:
        return iter(self._outputs.items())

    def count(self) -> int:
        return self.events

    def partitions(self) -> Iterator[Iterable[Entry]]:
        products = dict.fromkeys(self._outputs, 1)
        yield (Entry(EventID(1, 1, event + 1), products) for event in range(self.events))


def make_job(dataflow: Dataflow, works: Sequence[Work], events: int, streams: int) -> Job:
    """The job of the stand-ins; the algorithms that nobody waits for are on its path, all others run on demand."""
    labels = _labels([*(algorithm.name for algorithm in dataflow.algorithms), *dataflow.loaded])
    own = [labels[algorithm.name] for algorithm in dataflow.algorithms]
    products = {
        data: [f"{own[index]}.out{dataflow.algorithms[index].puts.index(data)}" for index in indices] or [labels[data]]
        for data, indices in dataflow.producers.items()
    }
    waited_for = {index for before in dataflow.before for index in before}
    return Job(
        dataflow.name,
        source=Loaded([labels[name] for name in dataflow.loaded], events=events),
        modules={
            label: _stand_in(label, algorithm, work, products)
            for label, algorithm, work in zip(own, dataflow.algorithms, works, strict=True)
        },
        paths={"all": [label for index, label in enumerate(own) if index not in waited_for]},
        streams=streams,
    )


def _stand_in(label: str, algorithm: Algorithm, work: Work, products: Mapping[str, Sequence[str]]) -> Module:
    """A module of a class of its own: what it reads and puts is declared like any module's."""
    read = [name for data in algorithm.reads for name in products[data]]
    inputs = {f"in{number}": Input[int](name) for number, name in enumerate(read)}
    outputs = {f"out{number}": Output[int]() for number in range(len(algorithm.puts))}
    base = StandIn if work.away is None else AwayStandIn
    made: Any = type(label, (base,), {**inputs, **outputs, "work": work})
    module: Module = made()
    return module


def _labels(names: Iterable[str]) -> Mapping[str, str]:
    """A label for each name: names of another framework may have characters that labels have not."""
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        label = re.sub(r"\W", "_", name, flags=re.ASCII)
        label = label if label[:1].isidentifier() else f"_{label}"
        candidates = itertools.chain([label], (f"{label}_{number}" for number in itertools.count(2)))
        labels[name] = next(each for each in candidates if each not in taken)
        taken.add(labels[name])
    return labels
