"""The decisions of the trigger."""

from __future__ import annotations

import numpy as np

from eventbraid import Event, Filter, Input, Parameter
from eventbraid_modules.hlt.jets import Jets
from eventbraid_modules.hlt.missing import Missing

__all__ = ["JetFilter", "MissingFilter"]


class JetFilter(Filter):
    """Passes events with enough jets."""

    jets = Input[Jets]("jets")
    count = Parameter(2, ge=1, doc="how many jets")
    pt = Parameter(30.0, gt=0, doc="above this transverse momentum, GeV")
    eta = Parameter(2.5, gt=0, doc="within this |eta|")

    def filter(self, event: Event) -> bool:
        jets = event[self.jets]
        return int(np.count_nonzero((jets.pt > self.pt) & (np.abs(jets.eta) < self.eta))) >= self.count


class MissingFilter(Filter):
    """Passes events with enough missing transverse momentum."""

    missing = Input[Missing]("missing")
    pt = Parameter(40.0, gt=0, doc="above this, GeV")

    def filter(self, event: Event) -> bool:
        return event[self.missing].pt > self.pt
