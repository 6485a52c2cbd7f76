"""What made each hit, by the simulation's truth."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Producer
from eventbraid_modules.protodune.detector import Detector
from eventbraid_modules.protodune.hits import Hits
from eventbraid_modules.protodune.ionisation import Kind
from eventbraid_modules.protodune.readout import Arrivals

__all__ = ["NONE", "HitTruth", "match"]

NONE: Final = len(Kind)
"""What made a hit without charge: noise, or the deconvolution."""
REACH: Final = 6
"""Ticks before and after a hit in which charge counts."""
LEAST: Final = 2000.0
"""Electrons below which a hit has no charge."""


def match(hits: Hits, arrivals: Arrivals, ticks: int) -> NDArray[np.int8]:
    """The `Kind` with most charge around each hit, or NONE, shape (hits,)."""
    middle = hits.channel.astype(np.int64) * ticks + np.rint(hits.tick).astype(np.int64)
    charge = np.empty((len(Kind), len(hits)))
    for kind in Kind:
        chosen = arrivals.kind == kind
        key = arrivals.key[chosen]
        total = np.concatenate([[0.0], np.cumsum(arrivals.electrons[chosen], dtype=np.float64)])
        first, last = np.searchsorted(key, middle - REACH), np.searchsorted(key, middle + REACH, side="right")
        charge[kind] = total[last] - total[first]
    return np.where(charge.sum(axis=0) < LEAST, NONE, charge.argmax(axis=0)).astype(np.int8)


class HitTruth(Producer):
    """Says of each hit what made it."""

    detector = Input[Detector]("detector")
    hits = Input[Hits]("hits")
    arrivals = Input[Arrivals]("readout.arrivals")
    kinds = Output[NDArray[np.int8]]()  # shape (hits,): see `Kind`, or NONE

    def produce(self, event: Event) -> None:
        event[self.kinds] = match(event[self.hits], event[self.arrivals], event[self.detector].ticks)
