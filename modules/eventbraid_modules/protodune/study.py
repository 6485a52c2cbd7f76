"""How well hits are identified, counted against the simulation's truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Analyzer, Event, Figure, Input, Parameter
from eventbraid_modules.protodune.ionisation import Kind
from eventbraid_modules.protodune.network import CLASSES

__all__ = ["IdentificationStudy", "confusion", "michel_area", "michel_curve"]

BINS: Final = 200
"""Of the Michel score."""
TRUE_CLASS: Final = np.array([0, 1, 1, 2])
"""The class of each `Kind` and of NONE, which follows them: a Michel electron is electromagnetic too."""


def confusion(scores: NDArray[np.float32], kinds: NDArray[np.int8]) -> NDArray[np.int64]:
    """How many hits of each true class (row) were given each class (column), in the order of CLASSES."""
    cells = TRUE_CLASS[kinds] * len(CLASSES) + scores[:, : len(CLASSES)].argmax(axis=1)
    return np.bincount(cells, minlength=len(CLASSES) ** 2).reshape(len(CLASSES), len(CLASSES))


def michel_curve(scores: NDArray[np.float32], kinds: NDArray[np.int8]) -> NDArray[np.int64]:
    """How many hits of other kinds (row 0) and of Michel electrons (row 1) have each score, shape (2, 200)."""
    bins = np.clip(scores[:, -1] * BINS, 0, BINS - 1).astype(np.int64)
    return np.bincount((kinds == Kind.MICHEL) * BINS + bins, minlength=2 * BINS).reshape(2, BINS)


def michel_area(curve: NDArray[np.int64]) -> float:
    """How often a hit of a Michel electron has a higher score than another one, of equal ones half; 0 for no hits."""
    others, michels = curve
    below = others.cumsum() - others / 2
    return float(michels @ below) / max(int(others.sum()) * int(michels.sum()), 1)


class IdentificationStudy(Analyzer):
    """Counts the confusion matrix, and Michel electrons above and below a threshold."""

    kind = "shared"
    scores = Input[NDArray[np.float32]]("identification")
    kinds = Input[NDArray[np.int8]]("truth")
    threshold = Parameter(0.5, ge=0, le=1, doc="of the Michel score, for a Michel electron")

    def begin_job(self) -> None:
        self._matrix = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
        self._curve = np.zeros((2, BINS), np.int64)

    def analyze(self, event: Event) -> None:
        scores, kinds = event[self.scores], event[self.kinds]
        self._matrix += confusion(scores, kinds)
        self._curve += michel_curve(scores, kinds)

    def figures(self) -> Mapping[str, Figure]:
        """Shares of the true class, row by row, and of Michel electrons; a share of nothing is 0."""
        rows = zip(CLASSES, self._matrix, strict=True)
        matrix = {
            f"{true} as {found}, %": _percent(count, row.sum())
            for true, row in rows
            for found, count in zip(CLASSES, row, strict=True)
        }
        others, michels = self._curve[:, ::-1].cumsum(axis=1)[:, ::-1]  # with at least that score
        at = min(round(self.threshold * BINS), BINS - 1)
        best = (michels**2 / np.maximum(michels + others, 1)).max() / max(int(michels[0]), 1)
        return {
            "hits": int(self._matrix.sum()),
            **matrix,
            "mean of the diagonal, %": float(np.mean([matrix[f"{name} as {name}, %"] for name in CLASSES])),
            "Michel hits": int(michels[0]),
            "Michel efficiency, %": _percent(michels[at], michels[0]),
            "Michel purity, %": _percent(michels[at], michels[at] + others[at]),
            "best Michel efficiency x purity, %": 100 * float(best),
            "Michel, area under the ROC curve, %": 100 * michel_area(self._curve),
        }


def _percent(part: int, whole: int) -> float:
    return 100 * int(part) / max(int(whole), 1)
