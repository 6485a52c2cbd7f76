"""Cosmic rays in the detector as a source of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from eventbraid import EventID, Output, Parameter
from eventbraid.sources import Entry, Source
from eventbraid_modules.protodune.cosmics import Rates, cosmics
from eventbraid_modules.protodune.detector import Detector
from eventbraid_modules.protodune.ionisation import Ionisation, join

__all__ = ["CosmicSource", "simulate"]


def simulate(detector: Detector, rates: Rates, seed: int, number: int) -> Ionisation:
    """The charge of an event, which depends on these alone; events of a seed are independent."""
    rng = np.random.default_rng([seed, number])
    return join([cosmics(detector, module, rates, rng) for module in range(detector.modules)])


class CosmicSource(Source):
    """Cosmic rays in a liquid-argon detector; simulated in a thread, one event ahead of what is processed.

    Events are numbered from 1 in run 1, lumi 1. A sample begins with every shorter one of the same seed.
    """

    detector = Output[Detector]()
    ionisation = Output[Ionisation]()
    events = Parameter(20, ge=0, doc="how many events")
    seed = Parameter(1, ge=0, doc="of the whole sample")
    modules = Parameter(1, ge=1, le=100, doc="of the detector; 6 in ProtoDUNE-SP")
    wires = Parameter(240, ge=60, le=9600, multiple_of=6, doc="collection wires of a module; 960 in ProtoDUNE-SP")
    ticks = Parameter(1500, ge=300, le=100_000, doc="of 0.5 us, read out; 6000 in ProtoDUNE-SP")
    crossing = Parameter(0.6, ge=0, le=1000, doc="mean number of crossing muons in a module")
    stopping = Parameter(0.6, ge=0, le=1000, doc="mean number of stopping muons in a module")
    showers = Parameter(0.4, ge=0, le=1000, doc="mean number of showers in a module")

    def count(self) -> int:
        return self.events

    def partitions(self) -> Iterator[Iterable[Entry]]:
        detector = Detector(self.modules, self.wires, self.ticks)
        rates = Rates(self.crossing, self.stopping, self.showers)
        for number in range(1, self.events + 1):
            ionisation = simulate(detector, rates, self.seed, number)
            yield [Entry(EventID(1, 1, number), {"detector": detector, "ionisation": ionisation})]
