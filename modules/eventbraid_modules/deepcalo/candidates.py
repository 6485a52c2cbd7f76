"""The electrons of a collision, its hardest electrons and photons in the barrel, and the decision on them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Filter, Input, Output, Parameter, Producer
from eventbraid.errors import DataError
from eventbraid_modules.collisions import Particles
from eventbraid_modules.deepcalo.electrons import Electrons
from eventbraid_modules.deepcalo.geometry import ETA_MAX

__all__ = ["ElectronCandidates", "ElectronFilter", "candidates"]

SHOWERING: Final = (-11, 11, 22)
"""Positrons, electrons and photons, in the scheme of the Particle Data Group."""


def candidates(particles: Particles, pt: float, most: int) -> Electrons:
    """At most so many electrons and photons within the barrel and above `pt` GeV, the hardest first.

    Raises `DataError` for one whose transverse momentum or pseudorapidity is no number.
    """
    kind = np.isin(particles.pdg, SHOWERING)
    if (bad := np.flatnonzero(kind & np.isnan(particles.pt + particles.eta))).size:
        each = int(bad[0])
        raise DataError(f"particle {each} has pt {particles.pt[each]:g} and eta {particles.eta[each]:g}")
    showering = kind & (particles.pt > pt) & (np.abs(particles.eta) < ETA_MAX)
    found = np.flatnonzero(showering)
    hardest = found[np.argsort(-particles.pt[found], kind="stable")][:most]
    return Electrons(particles.energy[hardest], particles.eta[hardest], particles.phi[hardest])


class ElectronCandidates(Producer):
    """Picks the electrons whose energy is to be measured; a photon showers as an electron does in this simulation."""

    particles = Input[Particles]("particles")
    electrons = Output[Electrons]()
    pt = Parameter(15.0, ge=0, doc="least transverse momentum, GeV")
    most = Parameter(5, ge=0, doc="electrons an event, the hardest")

    def produce(self, event: Event) -> None:
        event[self.electrons] = candidates(event[self.particles], self.pt, self.most)


class ElectronFilter(Filter):
    """Passes events with enough electrons."""

    electrons = Input[Electrons]("electrons")
    energies = Input[NDArray[np.float32]]("energies")  # GeV, shape (electrons,)
    count = Parameter(1, ge=1, doc="how many electrons")
    pt = Parameter(25.0, gt=0, doc="above this transverse momentum, GeV")

    def filter(self, event: Event) -> bool:
        pt = event[self.energies] / np.cosh(event[self.electrons].eta)
        return int(np.count_nonzero(pt > self.pt)) >= self.count
