"""Five numbers that tell what kind of collision it was."""

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Producer
from eventbraid_modules.hlt import Jets, Missing


class EventShape(Producer):
    """Describes an event by its jets and what they leave unbalanced."""

    jets = Input[Jets]("jets")
    missing = Input[Missing]("missing")
    shape = Output[NDArray[np.float32]]()  # jets above 30 GeV, their sum of pt, pt of jets 1 and 4, missing pt; GeV

    def produce(self, event: Event) -> None:
        pt = event[self.jets].pt
        pt = pt[pt > 30]
        first, fourth = (pt[n] if len(pt) > n else 0 for n in (0, 3))
        event[self.shape] = np.array([len(pt), pt.sum(), first, fourth, event[self.missing].pt], np.float32)
