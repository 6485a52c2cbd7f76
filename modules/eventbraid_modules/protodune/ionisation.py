"""Charge that particles set free in liquid argon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIP_MEV_CM", "Ionisation", "Kind", "free_electrons", "join"]

Array = NDArray[np.float64]
MIP_MEV_CM: Final = 2.1
"""What a minimum-ionising particle loses, MeV/cm."""
ELECTRON_MEV: Final = 23.6e-6
"""Energy for an electron that is set free, MeV."""
BIRKS: Final = (0.8, 0.0486 / (1.396 * 0.5))
"""ICARUS's A and k/(density x field), cm/MeV, at 500 V/cm (Amoruso et al. 2004, NIM A 523, 275)."""


class Kind(IntEnum):
    """What set the charge free."""

    TRACK = 0
    SHOWER = 1
    MICHEL = 2


@dataclass(frozen=True, slots=True)
class Ionisation:
    """Points of charge: arrays of one length."""

    position: Array
    """x, y, z in the module, cm, shape (points, 3)."""
    electrons: Array
    """Charge, electrons."""
    kind: NDArray[np.int8]
    """See `Kind`."""
    module: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.electrons)


def free_electrons(energy: Array, density: Array | float = MIP_MEV_CM) -> Array:
    """Electrons of an energy in MeV that escape recombination, where `density` MeV/cm are lost (Birks' law)."""
    scale, quench = BIRKS
    return energy / ELECTRON_MEV * scale / (1 + quench * np.asarray(density))


def join(parts: Sequence[Ionisation]) -> Ionisation:
    """All points in one."""
    if not parts:
        return Ionisation(np.empty((0, 3)), np.empty(0), np.empty(0, np.int8), np.empty(0, np.int16))
    columns = ("position", "electrons", "kind", "module")
    return Ionisation(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
