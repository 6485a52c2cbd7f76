"""How well energies are reconstructed: effective resolution and bias, against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Analyzer, Event, EventID, Figure, Input
from eventbraid.errors import DataError
from eventbraid_modules.deepcalo.electrons import Electrons
from eventbraid_modules.statistics import effective_resolution

__all__ = ["EDGES", "EnergyResolution", "figures_of"]

EDGES: Final = (10, 25, 60, 130, 250)
"""Edges of the bins in true energy, GeV."""
LEAST: Final = 20
"""Electrons that a bin needs for its figures."""


def figures_of(found: NDArray[np.floating], truth: NDArray[np.floating]) -> dict[str, Figure]:
    """Effective resolution and bias (median less 1) of found over true energy, of all and in bins of true energy."""
    valid = np.isfinite(found)
    ratios, truth = (found[valid] / truth[valid]).astype(np.float64), truth[valid]
    figures: dict[str, Figure] = {"electrons": len(ratios)}
    if len(found) > len(ratios):
        figures["energies that are no numbers"] = len(found) - len(ratios)
    bins = [("", np.ones(len(truth), bool))]
    bins += [(f" {low} to {high} GeV", (truth >= low) & (truth < high)) for low, high in pairwise(EDGES)]
    for name, kept in bins:
        if np.count_nonzero(kept) >= LEAST:
            figures[f"resolution{name}, %"] = 100 * effective_resolution(ratios[kept])
            figures[f"bias{name}, %"] = 100 * float(np.median(ratios[kept]) - 1)
    return figures


class EnergyResolution(Analyzer):
    """Compares the energies of electrons with the true ones."""

    kind = "shared"
    electrons = Input[Electrons]("electrons")
    energies = Input[NDArray[np.float32]]("energies")  # GeV, shape (electrons,)

    def begin_job(self) -> None:
        self._found: dict[EventID, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def analyze(self, event: Event) -> None:
        found, truth = event[self.energies], event[self.electrons].energy
        if found.shape != truth.shape:
            raise DataError(f"{len(truth)} electrons have energies of shape {list(found.shape)}")
        self._found[event.id] = found.copy(), truth  # a view would keep a place in shared memory

    def figures(self) -> Mapping[str, Figure]:
        pairs = [self._found[event] for event in sorted(self._found)]
        found, truth = (np.concatenate([pair[n] for pair in pairs] or [np.zeros(0, np.float32)]) for n in range(2))
        return figures_of(found, truth)
