"""Fat jets with their constituents: anti-kt of R = 0.8 on particles, wide enough for all of a top quark's decay."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.clustering import cluster, fastjet, momenta
from eventbraid_modules.collisions import Particles

__all__ = ["ETA_MAX", "PT_MIN", "RADIUS", "FatJetFinder", "FatJets", "find_fat_jets"]

RADIUS: Final = 0.8
PT_MIN: Final = 400.0
"""GeV; from here on the decay of a top quark is mostly within the jet."""
ETA_MAX: Final = 2.4
MOST: Final = 10
"""Jets of an event, the batch of Krupa et al. 2021 (arXiv:2007.10359, Table 1)."""


@dataclass(frozen=True, slots=True)
class FatJets:
    """Jets, the highest transverse momentum first, and what they are made of."""

    pt: NDArray[np.float64]
    """GeV, shape (n,), as the three that follow."""
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    """Radians, from -pi to pi."""
    mass: NDArray[np.float64]
    """GeV."""
    constituents: Particles
    """Of all jets, one jet after the other."""
    owner: NDArray[np.intp]
    """The jet of each constituent."""

    def __len__(self) -> int:
        return len(self.pt)


def find_fat_jets(
    particles: Particles,
    *,
    radius: float = RADIUS,
    pt_min: float = PT_MIN,
    eta_max: float = ETA_MAX,
    most: int = MOST,
) -> FatJets:
    """The hardest `most` jets above `pt_min` GeV within |eta|; raises `DataError` for particles without momentum."""
    sequence = cluster(momenta(particles), "antikt", radius)
    found = [jet for jet in fastjet().sorted_by_pt(sequence.inclusive_jets(pt_min)) if abs(jet.eta()) < eta_max][:most]
    rows = [[each.user_index() for each in jet.constituents()] for jet in found]
    taken = np.array([row for each in rows for row in each], np.intp)
    owner = np.repeat(np.arange(len(found)), [len(each) for each in rows])
    table = np.array([(jet.pt(), jet.eta(), jet.phi_std(), jet.m()) for jet in found], np.float64).reshape(-1, 4)
    pt, eta, phi, mass = (np.ascontiguousarray(column) for column in table.T)
    constituents = Particles(*(getattr(particles, each.name)[taken] for each in fields(particles)))
    return FatJets(pt, eta, phi, mass, constituents, owner)


class FatJetFinder(Producer):
    """Finds fat jets with the anti-kt algorithm and keeps their constituents."""

    particles = Input[Particles]("particles")
    jets = Output[FatJets]()
    radius = Parameter(RADIUS, gt=0, le=2, doc="the algorithm's R")
    pt_min = Parameter(PT_MIN, ge=0, doc="GeV")
    eta_max = Parameter(ETA_MAX, gt=0, doc="within this |eta|")
    most = Parameter(MOST, ge=1, le=1000, doc="jets that are kept, the hardest first")

    def begin_job(self) -> None:
        fastjet()  # what is missing is told before the first event

    def produce(self, event: Event) -> None:
        event[self.jets] = find_fat_jets(
            event[self.particles], radius=self.radius, pt_min=self.pt_min, eta_max=self.eta_max, most=self.most
        )
