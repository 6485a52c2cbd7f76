"""Electrons as a source of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventbraid import EventID, Output, Parameter
from eventbraid.sources import Entry, Source
from eventbraid_modules.deepcalo.geometry import ETA_MAX

__all__ = ["ElectronSource", "Electrons", "draw_electrons"]


@dataclass(frozen=True, slots=True)
class Electrons:
    """The true electrons of an event: arrays of one length."""

    energy: NDArray[np.float32]
    """GeV."""
    eta: NDArray[np.float32]
    """Pseudorapidity where it enters the calorimeter."""
    phi: NDArray[np.float32]
    """Azimuth there, radians, from -pi to pi."""

    def __len__(self) -> int:
        return len(self.energy)


def draw_electrons(rng: np.random.Generator, count: int, low: float, high: float, eta: float = ETA_MAX) -> Electrons:
    """So many electrons, evenly in the logarithm of the energy from `low` to `high` GeV, in eta and in phi."""
    energy = np.exp(rng.uniform(np.log(low), np.log(high), count)).astype(np.float32)
    directions = (rng.uniform(-edge, edge, count).astype(np.float32) for edge in (eta, np.pi))
    return Electrons(energy, *directions)


class ElectronSource(Source):
    """Events of a fixed number of electrons, 5 by default as in Krupa et al. 2021 (arXiv:2007.10359, section 5.2.2).

    Energies are spread evenly in their logarithm, directions evenly over the barrel. Events are numbered from 1 in
    run 1, lumi 1, and each is drawn from the seed and its identity alone.
    """

    blocking = False
    electrons = Output[Electrons]()
    events = Parameter(200, ge=0, doc="how many events")
    count_each = Parameter(5, ge=0, le=500, doc="electrons an event")
    seed = Parameter(1, ge=0, doc="of the whole sample")
    low = Parameter(10.0, gt=0, doc="lowest energy, GeV")
    high = Parameter(250.0, gt=0, doc="highest energy, GeV")
    eta = Parameter(ETA_MAX, gt=0, le=ETA_MAX, doc="within this |eta|")

    def count(self) -> int:
        return self.events

    def partitions(self) -> Iterator[Iterable[Entry]]:
        yield map(self._entry, range(1, self.events + 1))

    def _entry(self, number: int) -> Entry:
        event = EventID(1, 1, number)
        rng = np.random.default_rng([self.seed, *event])
        return Entry(event, {"electrons": draw_electrons(rng, self.count_each, self.low, self.high, self.eta)})
