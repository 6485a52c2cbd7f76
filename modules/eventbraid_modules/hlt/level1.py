"""What a first trigger level sees: coarse sums of raw charge, made before anything is reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Filter, Input, Output, Parameter, Producer
from eventbraid_modules.hlt.digitizer import PEDESTAL_FC, HcalDigis
from eventbraid_modules.hlt.geometry import ETA, GAIN, PHI, SHAPE
from eventbraid_modules.hlt.pulse import IN_TIME, pulse

__all__ = ["Level1Jets", "Level1Missing", "Level1Regions", "Regions", "sum_regions"]

SIDE: Final = 4
"""Towers on a side of a region."""
FLOOR_GEV: Final = 1.0
"""Channels with less count as nothing, GeV."""
IN_SLICE: Final = float(pulse(np.zeros(1, np.float32))[0, IN_TIME])
"""Share of a pulse that is in the slice of its collision."""
_TRANSVERSE: Final = (GAIN / np.cosh(ETA)).astype(np.float32)
_COS, _SIN = (of(PHI.reshape(SHAPE)[0, ::SIDE, 0] + np.pi * (SIDE - 1) / SHAPE[1]) for of in (np.cos, np.sin))


@dataclass(frozen=True, slots=True)
class Regions:
    """Transverse energies of regions of 4 x 4 towers."""

    pt: NDArray[np.float32]
    """GeV, shape (10, 20): eta and phi."""

    @property
    def missing_pt(self) -> float:
        """What the regions leave unbalanced, GeV."""
        around = self.pt.sum(axis=0)
        return float(np.hypot(around @ _COS, around @ _SIN))


def sum_regions(charge: NDArray[np.float32]) -> Regions:
    """The regions of charges, fC, shape (16000, 8): the slice of the collision less the one before the pulse.

    The slice before is where the pulses of earlier crossings and the pedestal are seen.
    """
    energy = (charge[:, IN_TIME] - np.maximum(charge[:, IN_TIME - 1], PEDESTAL_FC)) * (_TRANSVERSE / IN_SLICE)
    energy = np.where(energy > FLOOR_GEV * _TRANSVERSE / GAIN, energy, np.float32(0))
    blocks = energy.reshape(SHAPE[0] // SIDE, SIDE, SHAPE[1] // SIDE, SIDE, SHAPE[2])
    return Regions(blocks.sum(axis=(1, 3, 4)))


class Level1Regions(Producer):
    """Adds up raw charge in regions."""

    digis = Input[HcalDigis]("hcalDigis")
    regions = Output[Regions]()

    def produce(self, event: Event) -> None:
        event[self.regions] = sum_regions(event[self.digis].charge)


class Level1Jets(Filter):
    """Passes events with enough loud regions."""

    regions = Input[Regions]("level1")
    count = Parameter(1, ge=1, doc="how many regions")
    pt = Parameter(30.0, gt=0, doc="above this transverse energy, GeV")

    def filter(self, event: Event) -> bool:
        return int(np.count_nonzero(event[self.regions].pt > self.pt)) >= self.count


class Level1Missing(Filter):
    """Passes events whose regions leave enough unbalanced."""

    regions = Input[Regions]("level1")
    pt = Parameter(30.0, gt=0, doc="above this, GeV")

    def filter(self, event: Event) -> bool:
        return event[self.regions].missing_pt > self.pt
