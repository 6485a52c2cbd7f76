"""The closed form of scaling out, and the knee of a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from eventbraid.studies.model.equations import ideal_seconds, saturation_ratio, sonic_seconds

__all__ = ["Knee", "Scaling", "knee_of"]

STEPS: Final = 2000
"""Places at which a knee is looked for."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The model of Wang et al. 2021 (arXiv:2009.04509), section 3.3, for blocking clients; times in seconds an event.

    `other` is (1 - p) t_CPU, the time of the modules that ask nothing; `latency` is preprocessing, transmission and
    travel together; `gpu` is t_GPU, the event's time on one GPU.
    """

    other: float
    latency: float
    gpu: float

    @property
    def ideal(self) -> float:
        """An event's time where a GPU is always free, Eq. 2."""
        return ideal_seconds(self.other, self.gpu, self.latency)

    def saturation(self, gpus: int) -> float:
        """The number of clients from which on the GPUs are saturated, Eq. 3."""
        return gpus * saturation_ratio(self.ideal, self.gpu)

    def event(self, clients: int, gpus: int) -> float:
        """An event's time, Eq. 4."""
        return float(sonic_seconds(self.ideal, self.gpu, clients, gpus))

    def module(self, clients: int, gpus: int) -> float:
        """The time of the module that asks."""
        return self.event(clients, gpus) - self.other


@dataclass(frozen=True, slots=True)
class Knee:
    """Where a time stops to be flat: `flat` up to `clients`, and `slope` more for each further one."""

    clients: float
    flat: float
    slope: float


def knee_of(clients: Sequence[float], times: Sequence[float]) -> Knee:
    """The knee of a curve: of all lines that are flat and then rise, that which fits best by least squares.

    Raises `ValueError` for fewer than four points.
    """
    if len(clients) < 4 or len(clients) != len(times):
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
