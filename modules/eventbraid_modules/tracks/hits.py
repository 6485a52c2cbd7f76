"""What the tracker measures, and what it was made by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HitTruth", "Hits"]


@dataclass(frozen=True, slots=True)
class Hits:
    """The hits of an event, in no order."""

    position: NDArray[np.float32]
    """x, y, z, cm, shape (hits, 3)."""
    layer: NDArray[np.int8]
    """0 (inner) to 9, shape (hits,)."""

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class HitTruth:
    """What made the hits, and what a track finder must not see."""

    particle: NDArray[np.int32]
    """For each hit the index of its particle, -1 for noise, shape (hits,)."""
    pt: NDArray[np.float32]
    """Of each simulated particle, GeV, shape (particles,)."""
    eta: NDArray[np.float32]
    """Of each simulated particle, shape (particles,)."""
    z: NDArray[np.float32]
    """Where each simulated particle comes from, cm, shape (particles,)."""
