"""How well scores tell jets of top quarks from others, against what the generator made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Analyzer, Event, EventID, Figure, Input
from eventbraid.errors import DataError
from eventbraid_modules.collisions import Tops
from eventbraid_modules.toptag.jets import FatJets
from eventbraid_modules.toptag.scores import TopScores

__all__ = ["DISTANCE", "EFFICIENCY", "TaggingPerformance", "area", "false_positives", "figures_of", "holds_top"]

DISTANCE: Final = 0.6
"""In eta and phi, within which a jet is that of a top quark."""
EFFICIENCY: Final = 0.5
"""Share of the jets of top quarks that are kept where the rejection of others is told."""

Scores = NDArray[np.floating]


def holds_top(jets: FatJets, tops: Tops) -> NDArray[np.bool_]:
    """Whether each jet is within 0.6 of a top quark that decays to quarks, shape (jets,)."""
    turn = np.abs(jets.phi[:, None] - tops.phi)
    apart = np.hypot(jets.eta[:, None] - tops.eta, np.minimum(turn, 2 * np.pi - turn))
    return np.asarray((apart < DISTANCE).any(axis=1))


def false_positives(signal: Scores, background: Scores, efficiency: float = EFFICIENCY) -> float:
    """Share of the background that is kept where at least `efficiency` of the signal is; both need an entry."""
    least = np.sort(signal)[len(signal) - int(np.ceil(efficiency * len(signal)))]
    return float(np.mean(background >= least))


def area(signal: Scores, background: Scores) -> float:
    """The area under the ROC curve: how often a signal scores higher than a background, equal ones half."""
    ordered = np.sort(background)
    below, up_to = (np.searchsorted(ordered, signal, side) for side in ("left", "right"))
    return float(np.mean(below + up_to) / (2 * len(background)))


def figures_of(scores: Scores, truth: NDArray[np.bool_]) -> dict[str, Figure]:
    """Area under the ROC curve, and 1 over the share of other jets that is kept with half of the tops' jets."""
    signal, background = scores[truth], scores[~truth]
    figures: dict[str, Figure] = {"jets": len(scores), "jets of top quarks": len(signal)}
    if len(signal) and len(background):
        kept = false_positives(signal, background)
        figures["area under the ROC curve"] = area(signal, background)
        figures["rejection at 50 % efficiency"] = 1 / kept if kept else f"more than {len(background)}"
    return figures


class TaggingPerformance(Analyzer):
    """Compares the scores of fat jets with what the jets are of."""

    kind = "shared"
    jets = Input[FatJets]("fatJets")
    scores = Input[TopScores]("scores")
    tops = Input[Tops]("tops")

    def begin_job(self) -> None:
        self._found: dict[EventID, tuple[NDArray[np.float32], NDArray[np.bool_]]] = {}

    def analyze(self, event: Event) -> None:
        jets, scores = event[self.jets], event[self.scores].score
        if scores.shape != (len(jets),):
            raise DataError(f"{len(jets)} jets have scores of shape {list(scores.shape)}")
        if not np.isfinite(scores).all():
            raise DataError(f"jet {int(np.flatnonzero(~np.isfinite(scores))[0])} has a score that is no number")
        self._found[event.id] = scores.copy(), holds_top(jets, event[self.tops])  # a view keeps shared memory

    def figures(self) -> Mapping[str, Figure]:
        if not self._found:
            return {"jets": 0, "jets of top quarks": 0}
        pairs = [self._found[event] for event in sorted(self._found)]
        return figures_of(np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs]))
