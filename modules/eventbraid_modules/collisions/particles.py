"""The particles of one collision, as the detector sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Particles"]


@dataclass(frozen=True, slots=True)
class Particles:
    """The visible final-state particles of one collision: arrays of one length, a particle an element."""

    pt: NDArray[np.float32]
    """Transverse momentum, GeV."""
    eta: NDArray[np.float32]
    """Pseudorapidity."""
    phi: NDArray[np.float32]
    """Azimuth, radians, from -pi to pi."""
    energy: NDArray[np.float32]
    """GeV."""
    pdg: NDArray[np.int32]
    """The number of the Particle Data Group's scheme: 22 a photon, 211 a pion."""
    charge: NDArray[np.int8]
    """In units of the positron's."""

    def __len__(self) -> int:
        return len(self.pt)
