"""The top quarks of a collision that decay to quarks alone: what a jet that holds one is known by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tops"]


@dataclass(frozen=True, slots=True)
class Tops:
    """Top quarks whose W boson decays to quarks, as they are before they decay: arrays of one length."""

    pt: NDArray[np.float32]
    """Transverse momentum, GeV."""
    eta: NDArray[np.float32]
    """Pseudorapidity."""
    phi: NDArray[np.float32]
    """Azimuth, radians, from -pi to pi."""

    def __len__(self) -> int:
        return len(self.pt)
