"""Missing transverse momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eventbraid import Event, Input, Output, Producer
from eventbraid_modules.hlt.towers import Towers

__all__ = ["Missing", "MissingMomentum", "missing_of"]


@dataclass(frozen=True, slots=True)
class Missing:
    """What the towers leave unbalanced."""

    pt: float
    """GeV."""
    phi: float
    """Radians, from -pi to pi."""
    sum_pt: float
    """Scalar sum of the towers' transverse momenta, GeV."""


def missing_of(towers: Towers) -> Missing:
    """The negative vector sum of the towers."""
    pt = towers.pt.astype(np.float64)
    x, y = -float(pt @ np.cos(towers.phi)), -float(pt @ np.sin(towers.phi))
    return Missing(float(np.hypot(x, y)), float(np.arctan2(y, x)), float(pt.sum()))


class MissingMomentum(Producer):
    """Adds up the towers of an event."""

    towers = Input[Towers]("towers")
    missing = Output[Missing]()

    def produce(self, event: Event) -> None:
        event[self.missing] = missing_of(event[self.towers])
