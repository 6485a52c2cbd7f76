"""The modules of a client that is real but does not compute: it sleeps for that long, and its event loop with it.

So a client has a core of its own, as in the simulation, and needs none: many of them fit on a machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import sleep
from typing import Final

from eventbraid.event import Event, EventID, Input, Output
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid.module import Producer
from eventbraid.parameters import Parameter
from eventbraid.sources.base import Entry, Source
from eventbraid.studies.simulation.chance import factors
from eventbraid.studies.simulation.study import Client

__all__ = ["INPUT", "Asks", "ClientEvents", "Works"]

INPUT: Final = "x"
"""The name of the models' input."""


class ClientEvents(Source):
    """The events of one client, each with a factor of its CPU times."""

    blocking = False
    factor = Output[float]()
    events = Parameter(1, ge=0, doc="how many events")
    beginning = Parameter(0.0, ge=0, doc="seconds until the first of them")
    spread = Parameter(0.0, ge=0, doc="standard deviation of the logarithm of the factors, whose mean is 1")
    seed = Parameter(0, ge=0, doc="of the factors")

    def count(self) -> int:
        return self.events

    def partitions(self) -> Iterator[Iterable[Entry]]:
        sleep(self.beginning)
        drawn = factors(Client((), self.events, spread=self.spread), self.seed)
        yield (Entry(EventID(1, 1, each), {"factor": next(drawn)}) for each in range(1, self.events + 1))


class Works(Producer):
    """Has the core of its client for some time."""

    before = Input[float]("factor")
    factor = Output[float]()
    seconds = Parameter(0.0, ge=0, doc="of an event with the factor 1")

    def produce(self, event: Event) -> None:
        factor = event[self.before]
        sleep(factor * self.seconds)
        event[self.factor] = factor


class Asks(InferenceProducer):
    """Asks a model once, and has the core for some time before."""

    before = Input[float]("factor")
    factor = Output[float]()
    rows = Parameter(1, ge=1, doc="of the request")
    seconds = Parameter(0.0, ge=0, doc="on the core before it, of an event with the factor 1")

    def acquire(self, event: Event) -> Tensors:
        sleep(event[self.before] * self.seconds)
        return {INPUT: self.buffer(INPUT, self.rows)}

    def produce(self, event: Event, response: Tensors) -> None:
        event[self.factor] = event[self.before]
