"""How far a job is from what binds it, and how many events in flight it takes to get there."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

__all__ = ["Bounds", "events_needed"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What binds the job with its server at one distance; rates in events a second."""

    distance: float | None
    cpu: float
    """What the CPU work of the modules alone would allow on one core; 0 where it is unknown."""
    server: float | None
    """What the server could do; None where none tells."""
    latency: float
    """Mean seconds of an event that has the job to itself."""
    best: float
    """The highest median of a point with several events in flight."""
    best_streams: int

    @property
    def lowest(self) -> float:
        """The bound that is reached first; 0 where none is known."""
        return min((rate for rate in (self.cpu, self.server) if rate), default=0.0)

    @property
    def by_server(self) -> bool:
        """True where the server is it."""
        return bool(self.server) and self.server == self.lowest

    @property
    def needed(self) -> int:
        """Events in flight that the lowest bound takes."""
        return events_needed(self.lowest, self.latency)

    @property
    def reached(self) -> float:
        """Share of the lowest bound."""
        return self.best / self.lowest if self.lowest else 0.0


def events_needed(rate: float, latency: float) -> int:
    """Events that are in flight at a rate where each takes so long: Little's law, N = rate x latency (Little 1961).

    With the latency of an event that waits for no other it is the least that can carry that rate.
    """
    return max(1, ceil(rate * latency - 1e-9))
