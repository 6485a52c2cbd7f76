"""Towers: the channels of a cell in eta and phi, added up in depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.hlt.geometry import SHAPE, TOWER_ETA, TOWER_PHI, TOWERS

__all__ = ["TowerMaker", "Towers", "sum_depths"]


@dataclass(frozen=True, slots=True)
class Towers:
    """The towers above threshold: arrays of one length."""

    energy: NDArray[np.float32]
    """GeV."""
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    """Radians."""

    @property
    def pt(self) -> NDArray[np.float32]:
        """Transverse momentum of massless towers, GeV."""
        return (self.energy / np.cosh(self.eta)).astype(np.float32)


def sum_depths(energies: NDArray[np.float32], channel_floor: float, tower_floor: float) -> Towers:
    """Towers above `tower_floor` of the channels above `channel_floor`, both in GeV."""
    channels = np.where(energies > channel_floor, energies, np.float32(0)).reshape(TOWERS, SHAPE[2])
    sums = channels.sum(axis=1)
    kept = sums > tower_floor
    return Towers(sums[kept], TOWER_ETA[kept], TOWER_PHI[kept])


class TowerMaker(Producer):
    """Adds up the energies of channels to towers."""

    energies = Input[NDArray[np.float32]]("energies")
    towers = Output[Towers]()
    channel_floor = Parameter(0.8, ge=0, doc="channels below this are noise, GeV")
    tower_floor = Parameter(1.5, ge=0, doc="towers below this are noise, GeV")

    def produce(self, event: Event) -> None:
        event[self.towers] = sum_depths(event[self.energies], self.channel_floor, self.tower_floor)
