"""Jets: anti-kt on towers, with FastJet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.clustering import fastjet
from eventbraid_modules.hlt.towers import Towers

__all__ = ["JetFinder", "Jets", "anti_kt", "find_jets"]


@dataclass(frozen=True, slots=True)
class Jets:
    """Jets, the highest transverse momentum first: arrays of one length."""

    pt: NDArray[np.float64]
    """GeV."""
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    """Radians, from 0 to 2 pi."""
    mass: NDArray[np.float64]
    """GeV."""


def anti_kt(radius: float) -> Any:
    """FastJet's definition of the anti-kt algorithm."""
    library = fastjet()
    return library.JetDefinition(library.antikt_algorithm, radius)


def find_jets(towers: Towers, definition: Any, pt_min: float) -> Jets:
    """The jets above `pt_min` GeV of massless towers."""
    library = fastjet()
    eta, phi, energy = (array.astype(np.float64) for array in (towers.eta, towers.phi, towers.energy))
    pt = energy / np.cosh(eta)
    momenta = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy], axis=1).tolist()
    sequence = library.ClusterSequence([library.PseudoJet(*momentum) for momentum in momenta], definition)
    found = library.sorted_by_pt(sequence.inclusive_jets(pt_min))
    table = np.array([(jet.pt(), jet.eta(), jet.phi(), jet.m()) for jet in found], np.float64).reshape(-1, 4)
    return Jets(*(np.ascontiguousarray(column) for column in table.T))


class JetFinder(Producer):
    """Finds jets with the anti-kt algorithm."""

    towers = Input[Towers]("towers")
    jets = Output[Jets]()
    radius = Parameter(0.4, gt=0, doc="the algorithm's R")
    pt_min = Parameter(10.0, ge=0, doc="GeV")

    def begin_job(self) -> None:
        self._definition: Any = anti_kt(self.radius)

    def produce(self, event: Event) -> None:
        event[self.jets] = find_jets(event[self.towers], self._definition, self.pt_min)
