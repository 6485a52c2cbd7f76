"""What events cost: hours of CPU cores and of GPUs, and their prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from eventbraid.studies.model.checks import need

__all__ = ["HOUR", "Hours", "Prices"]

HOUR: Final = 3600.0
"""Seconds."""


class Hours(NamedTuple):
    """Of all cores, and of all GPUs, together."""

    cpu: float
    gpu: float


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one hour, in any currency."""

    cpu_hour: float
    """Of one core."""
    gpu_hour: float

    def __post_init__(self) -> None:
        need("the prices", {"cpu_hour": self.cpu_hour, "gpu_hour": self.gpu_hour})

    def cost(self, hours: Hours) -> float:
        """Of so many hours."""
        return hours.cpu * self.cpu_hour + hours.gpu * self.gpu_hour
