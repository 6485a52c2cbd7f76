"""Scaling out in closed form."""

from __future__ import annotations

from dataclasses import dataclass

from eventbraid.studies.model.equations import ideal_seconds, saturation_ratio, sonic_seconds

__all__ = ["ClosedForm"]


@dataclass(frozen=True, slots=True)
class ClosedForm:
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
