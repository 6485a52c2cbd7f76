"""Where servers are saturated, as curves over the number of clients say: the knee of times, the plateau of rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["KNEE_POINTS", "Knee", "knee_of", "plateau"]

KNEE_POINTS: Final = 4
"""That a knee needs at least."""
STEPS: Final = 2000
"""Places at which a knee is looked for."""


@dataclass(frozen=True, slots=True)
class Knee:
    """Where a time stops to be flat: `flat` up to `clients`, and `slope` more for each further one."""

    clients: float
    flat: float
    slope: float


def knee_of(clients: Sequence[float], times: Sequence[float]) -> Knee:
    """The knee of a curve: of all lines that are flat and then rise, that which fits best by least squares.

    Where clients wait for servers times rise in proportion (Eq. 5 of Wang et al. 2021, arXiv:2009.04509), so the line
    goes back to the saturation also from points that are far apart, as long as two of them are beyond it.

    Raises `ValueError` for fewer than four points.
    """
    if len(clients) < KNEE_POINTS or len(clients) != len(times):
        raise ValueError(f"a knee needs at least four points of the same number each, not {len(clients)}, {len(times)}")
    order = np.argsort(clients)
    x, y = np.asarray(clients, float)[order], np.asarray(times, float)[order]
    places = np.linspace(x[0], x[-2], STEPS)
    rises = np.maximum(0.0, x - places[:, np.newaxis])
    centred = rises - rises.mean(axis=1, keepdims=True)
    slopes = np.maximum(0.0, (centred @ (y - y.mean())) / (centred**2).sum(axis=1))
    flats = y.mean() - slopes * rises.mean(axis=1)
    left = ((flats[:, np.newaxis] + slopes[:, np.newaxis] * rises - y) ** 2).sum(axis=1)
    best = int(np.argmin(left))
    return Knee(float(places[best]), float(flats[best]), float(slopes[best]))


def plateau(clients: Sequence[int], rates: Sequence[float], tolerance: float = 0.1) -> float | None:
    """The rate at which more clients gain nothing: the greatest, where the last step gained less than a share.

    That is `tolerance` of what the clients of that step would have brought; None where rates still grow.
    """
    if len(clients) < 2:
        return None
    gained = rates[-1] / rates[-2] - 1
    brought = clients[-1] / clients[-2] - 1
    return max(rates) if gained < tolerance * brought else None
