"""How good energies, jets and missing momentum are: figures of merit against what the simulation put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Analyzer, Event, EventID, Figure, Input, Parameter
from eventbraid_modules.hlt.jets import Jets
from eventbraid_modules.hlt.missing import Missing
from eventbraid_modules.statistics import effective_resolution

__all__ = ["EnergyResolution", "JetPerformance", "match"]

RANGES: Final = {"below 0.5 GeV": (-1.0, 0.5), "1 to 10 GeV": (1.0, 10.0), "above 10 GeV": (10.0, 1e9)}
"""Of the true energy, in which the figures are told."""


def match(jets: Jets, truth: Jets, least: float, eta: float, radius: float) -> NDArray[np.float64]:
    """Transverse momentum over the true one, shape (true jets above `least` GeV within |eta|,); nan for no jet there.

    The jet of a true one is the hardest within `radius` in eta and phi.
    """
    kept = (truth.pt > least) & (np.abs(truth.eta) < eta)
    found = np.full(np.count_nonzero(kept), np.nan)
    if len(jets.pt):
        turn = np.abs(truth.phi[kept][:, None] - jets.phi)
        near = np.hypot(truth.eta[kept][:, None] - jets.eta, np.minimum(turn, 2 * np.pi - turn)) < radius
        first = near.argmax(axis=1)
        found = np.where(near.any(axis=1), jets.pt[first] / truth.pt[kept], np.nan)
    return found


class EnergyResolution(Analyzer):
    """RMS and bias of the energies of channels."""

    kind = "shared"
    energies = Input[NDArray[np.float32]]("energies")
    truth = Input[NDArray[np.float32]]("trueEnergies")

    def begin_job(self) -> None:
        self.sums: dict[EventID, NDArray[np.float64]] = {}

    def analyze(self, event: Event) -> None:
        truth = event[self.truth]
        miss = (event[self.energies] - truth).astype(np.float64)
        inside = [miss[(truth > low) & (truth <= high)] for low, high in RANGES.values()]
        self.sums[event.id] = np.array([(len(each), each.sum(), each @ each) for each in inside])

    def figures(self) -> Mapping[str, Figure]:
        if not self.sums:
            return {}
        found: dict[str, Figure] = {}
        sums = np.sum([self.sums[each] for each in sorted(self.sums)], axis=0)
        for name, (count, total, squares) in zip(RANGES, sums, strict=True):
            if count:
                found[f"RMS {name}, GeV"] = float(np.sqrt(squares / count))
                found[f"bias {name}, GeV"] = float(total / count)
        return found


class JetPerformance(Analyzer):
    """Response and resolution of jets, and the resolution of missing momentum."""

    kind = "shared"
    jets = Input[Jets]("jets")
    missing = Input[Missing]("missing")
    true_jets = Input[Jets]("trueJets")
    true_missing = Input[Missing]("trueMissing")
    pt = Parameter(30.0, gt=0, doc="true jets above this transverse momentum, GeV")
    eta = Parameter(2.5, gt=0, doc="true jets within this |eta|")
    radius = Parameter(0.3, gt=0, doc="in eta and phi, in which the jet of a true jet is")

    def begin_job(self) -> None:
        self.responses: dict[EventID, NDArray[np.float64]] = {}
        self.misses: dict[EventID, tuple[float, float]] = {}

    def analyze(self, event: Event) -> None:
        self.responses[event.id] = match(event[self.jets], event[self.true_jets], self.pt, self.eta, self.radius)
        found, truth = event[self.missing], event[self.true_missing]
        self.misses[event.id] = (
            found.pt * np.cos(found.phi) - truth.pt * np.cos(truth.phi),
            found.pt * np.sin(found.phi) - truth.pt * np.sin(truth.phi),
        )

    def figures(self) -> Mapping[str, Figure]:
        if not self.misses:
            return {}
        events = sorted(self.misses)
        responses = np.concatenate([self.responses[each] for each in events])
        figures: dict[str, Figure] = {"true jets": len(responses)}
        if len(found := responses[np.isfinite(responses)]):
            figures["found, %"] = 100 * len(found) / len(responses)
            figures["response, median"] = float(np.median(found))
            figures["resolution, %"] = 100 * effective_resolution(found) / float(np.median(found))
        misses = np.ravel([self.misses[each] for each in events])
        figures["missing momentum, resolution of x and y, GeV"] = effective_resolution(misses)
        return figures
