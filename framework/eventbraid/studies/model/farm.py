"""Clients that share GPUs: how fast each is, from when on they wait for each other, and what a rate needs.

An event of a client ends every `event_seconds`. That is the longest of what one event takes of anything that works on
one thing at a time: its own core, its own link, the events that it may have in flight, and, with all other clients, the
GPUs and the link before them. With one event in flight, a client that blocks, these are W (2) to W (5); see equations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventbraid.studies.model.checks import need, need_counts
from eventbraid.studies.model.equations import saturation_ratio, sonic_seconds
from eventbraid.studies.model.workload import Workload

__all__ = ["Farm", "Needs", "whole"]

ROUNDING: Final = 1e-9


class Needs(NamedTuple):
    """What a number of events a second needs at least."""

    clients: int
    gpus: int
    bandwidth: float
    """Bits a second of all clients together."""


@dataclass(frozen=True, slots=True)
class Farm:
    """GPUs behind one link, and how their clients use them; each client is one core."""

    gpus: int = 1
    streams: int = 1
    """Events that a client has in flight: 1 for one that blocks."""
    efficiency: float = 1.0
    """Of each GPU where there are several, against one alone."""
    bandwidth: float | None = None
    """Bits a second of the link before the GPUs; None: no limit."""

    def __post_init__(self) -> None:
        need_counts("the farm", {"gpus": self.gpus, "streams": self.streams})
        need("the farm", {"efficiency": self.efficiency, "bandwidth": self.bandwidth}, positive=True)

    def own(self, workload: Workload) -> dict[str, float]:
        """Seconds between a client's events by what is its own: its core, its waiting, its link."""
        return {
            "client's core": workload.client_cpu,
            "client's waiting": workload.ideal / self.streams,
            "client's link": workload.transmit,
        }

    def shared(self, workload: Workload) -> dict[str, float]:
        """Seconds that one event takes of what all clients share: the GPUs, the link before them."""
        gpus = self.gpus * (self.efficiency if self.gpus > 1 else 1.0)
        link = workload.bits / self.bandwidth if self.bandwidth is not None else 0.0
        return {"GPUs": workload.gpu / gpus, "servers' link": link}

    def alone(self, workload: Workload) -> float:
        """Seconds between the events of a client that never waits for another one; t_ideal of W (2) if it blocks."""
        return max(self.own(workload).values())

    def saturation(self, workload: Workload) -> float:
        """The number of clients from which on they wait for each other, W (3)."""
        return saturation_ratio(self.alone(workload), max(self.shared(workload).values()))

    def event_seconds(self, workload: Workload, clients: ArrayLike) -> NDArray[np.float64]:
        """Seconds between the events of each of so many clients, W (4): the time of an event if they block."""
        return sonic_seconds(self.alone(workload), max(self.shared(workload).values()), clients, 1)

    def module_seconds(self, workload: Workload, clients: ArrayLike) -> NDArray[np.float64]:
        """What the module adds to that: its own time if clients block, at least its packing if they do not."""
        return self.event_seconds(workload, clients) - workload.other

    def events_per_second(self, workload: Workload, clients: ArrayLike) -> NDArray[np.float64]:
        """Of all clients together."""
        return np.asarray(clients, np.float64) / self.event_seconds(workload, clients)

    def bound_by(self, workload: Workload, clients: int) -> str:
        """Which of them takes longest with so many clients."""
        of_all = {name: clients * seconds for name, seconds in self.shared(workload).items()}
        limits = {**self.own(workload), **of_all}
        return max(limits, key=lambda name: limits[name])

    def busy(self, workload: Workload, clients: int) -> float:
        """The share of the time for which the GPUs work."""
        rate = float(self.events_per_second(workload, clients))
        return min(1.0, rate * self.shared(workload)["GPUs"])

    def needs(self, workload: Workload, rate: float) -> Needs:
        """Clients, GPUs and bandwidth for so many events a second, as K section 6 counts them."""
        need("the farm", {"rate": rate}, positive=True)
        gpus = whole(rate * workload.gpu)
        if gpus > 1:
            gpus = max(2, whole(rate * workload.gpu / self.efficiency))
        return Needs(whole(rate * self.alone(workload)), gpus, rate * workload.bits)


def whole(number: float) -> int:
    """The next whole number, at least 1; what is one but for rounding stays so."""
    return max(1, math.ceil(number * (1 - ROUNDING)))
