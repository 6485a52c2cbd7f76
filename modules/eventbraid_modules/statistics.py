"""Figures of merit that several workflows have: resolutions without tails, efficiencies in bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["effective_resolution", "efficiency"]


def effective_resolution(values: NDArray[np.floating]) -> float:
    """Half of the smallest interval that holds 68 % of the values; NaN for none."""
    if not len(values):
        return float("nan")
    ordered = np.sort(values.astype(np.float64))
    held = -(-68 * len(ordered) // 100)  # in whole numbers: 0.68 * 75 is more than 51
    return float((ordered[held - 1 :] - ordered[: len(ordered) - held + 1]).min() / 2)


def efficiency(
    values: NDArray[Any], passed: NDArray[np.bool_], edges: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of those that passed, in each bin of `values`, and its binomial error; NaN for an empty bin."""
    whole = np.histogram(values, edges)[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.histogram(values[passed], edges)[0] / whole
        return share, np.sqrt(share * (1 - share) / whole)
