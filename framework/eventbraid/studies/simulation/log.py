"""What happened: numbers in the order in which things ended, without an object for each."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Log", "Spans"]


def _floats() -> array[float]:
    return array("d")


def _whole_numbers() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Spans:
    """When things began and ended."""

    began: array[float] = field(default_factory=_floats)
    ended: array[float] = field(default_factory=_floats)

    def add(self, began: float, ended: float) -> None:
        """One more."""
        self.began.append(began)
        self.ended.append(ended)


@dataclass(slots=True)
class Batches:
    """Batches that were executed: when each ended, how long its GPU took, its rows and requests."""

    ended: array[float] = field(default_factory=_floats)
    seconds: array[float] = field(default_factory=_floats)
    rows: array[float] = field(default_factory=_floats)
    requests: array[float] = field(default_factory=_floats)

    def add(self, ended: float, seconds: float, rows: int, requests: int) -> None:
        """One more."""
        self.ended.append(ended)
        self.seconds.append(seconds)
        self.rows.append(rows)
        self.requests.append(requests)


@dataclass(slots=True)
class Log:
    """All of one simulation."""

    modules: dict[int, Spans] = field(default_factory=dict[int, Spans])
    """By the number of the module in the event, of those that ask."""
    events: Spans = field(default_factory=Spans)
    clients: array[int] = field(default_factory=_whole_numbers)
    """The number of each event's client."""
    calls: Spans = field(default_factory=Spans)
    batches: dict[str, Batches] = field(default_factory=dict[str, Batches])
    """By server."""
    waiting: dict[str, Spans] = field(default_factory=dict[str, Spans])
    """By server: from when to when requests waited for their batch."""
    failures: Counter[str] = field(default_factory=Counter[str])
    """Tries that failed, by what they failed with."""
    lost: int = 0
    """Events of which a request got no answer."""
    first_ends: float = float("inf")
    """When the first client had no more events to begin."""
    begun: int = 0
    """Clients."""

    def new_client(self) -> int:
        """The number of one more client."""
        self.begun += 1
        return self.begun
