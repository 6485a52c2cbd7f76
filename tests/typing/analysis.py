"""A user's project, seen by the type checkers: what an input declares is what reading it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

from eventbraid import (
    Alias,
    Analyzer,
    Event,
    EventID,
    ExternalFilter,
    ExternalProducer,
    Filter,
    Input,
    Job,
    Output,
    Parameter,
    Producer,
    Report,
    Switch,
)
from eventbraid.inference import InferenceFilter, InferenceProducer, Tensors
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput


@dataclass(frozen=True, slots=True)
class Digis:
    features: NDArray[np.float32]


class Energies(InferenceProducer):
    digis = Input[Digis]("digis")
    energies = Output[NDArray[np.float32]]()
    floor = Parameter(0.0, ge=0, doc="GeV")

    async def acquire(self, event: Event) -> Tensors:
        assert_type(event[self.digis], Digis)
        assert_type(event.id, EventID)
        return {"features": event[self.digis].features}

    async def produce(self, event: Event, response: Tensors) -> None:
        assert_type(self.floor, float)
        energies = response["energy"][:, 0]
        event[self.energies] = np.where(energies < self.floor, 0, energies)


class Tagged(InferenceFilter):
    digis = Input[Digis]("digis")

    async def acquire(self, event: Event) -> Tensors:
        return {"features": event[self.digis].features}

    async def filter(self, event: Event, response: Tensors) -> bool:
        return bool(response["score"].max() > 0.5)


class Make(Producer):
    digis = Output[Digis]()

    def produce(self, event: Event) -> None:
        event[self.digis] = Digis(np.zeros((4, 15), np.float32))


class EnergiesByRule(Producer):
    digis = Input[Digis]("digis")
    energies = Output[NDArray[np.float32]]()

    def produce(self, event: Event) -> None:
        assert_type(event.random(self), np.random.Generator)
        event[self.energies] = event.random(self).random(4, dtype=np.float32)


class Any4(Filter):
    energies = Input[NDArray[np.float32]]("energies")
    names = Parameter[list[str]](["a"], doc="some")

    async def filter(self, event: Event) -> bool:
        assert_type(event.get(self.energies), NDArray[np.float32] | None)
        assert_type(self.names, list[str])
        return bool(event[self.energies].size >= 4)


class Look(Analyzer):
    energies = Input[NDArray[np.float32]]("energies")

    async def analyze(self, event: Event) -> None:
        for result in event.path_results.values():
            assert_type(result.passed, bool)


class Remote(ExternalProducer[int, str]):
    text = Output[str]()

    async def acquire(self, event: Event) -> int:
        return event.id.event

    async def external_work(self, acquired: int) -> str:
        return str(acquired)

    async def produce(self, event: Event, result: str) -> None:
        event[self.text] = result


class Ask(ExternalFilter[int, bool]):
    def acquire(self, event: Event) -> int:
        return event.id.event

    async def external_work(self, acquired: int) -> bool:
        return acquired > 1

    def filter(self, event: Event, result: bool) -> bool:
        return result


job = Job(
    "typed",
    source=EmptySource(events=2),
    modules={
        "digis": Make(),
        "facile": Switch(server=Energies(model="facile"), cpu=EnergiesByRule()),
        "energies": Alias("facile"),
        "any": Any4(),
        "look": Look(),
    },
    paths={"p": ["any"]},
    outputs=[ListOutput(keep=["energies"], select=["p"])],
    accelerators=("cpu",),
    seed=3,
)


def main() -> None:
    report = job.run(mode="async")
    assert_type(report, Report)
    assert_type(report.events.read, int)
    assert_type(report.seconds, float)
