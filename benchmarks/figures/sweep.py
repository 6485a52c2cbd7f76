"""The lines of a figure: what is simulated for each, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from eventbraid.studies.simulation import Ask, Result, Study, knee_of

__all__ = ["Curve", "Curves", "Sweep", "requests_of", "spread"]

LEAST = 200
"""Events of all clients together at every point: few clients have more of them each."""
QUICK = 2
"""Events of each client where only the way is tried."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A study for growing numbers of clients."""

    study: Callable[[int], Study]
    """Of so many clients; its number of events is that of each."""
    clients: tuple[int, ...]
    quick: tuple[int, ...]
    """Those of a run that only tries the way."""

    def studies(self, quick: bool = False) -> list[Study]:
        """One for each number of clients."""
        if quick:
            return [_with_events(self.study(each), QUICK) for each in self.quick]
        studies = [self.study(each) for each in self.clients]
        return [_with_events(each, max(each.client.events, LEAST // each.clients)) for each in studies]


@dataclass(frozen=True, slots=True)
class Curve:
    """The results of a sweep, by growing numbers of clients."""

    results: tuple[Result, ...]

    @property
    def clients(self) -> list[int]:
        return [each.clients for each in self.results]

    @property
    def rates(self) -> list[float]:
        """Events a second."""
        return [each.events_per_second for each in self.results]

    @property
    def plateau(self) -> float:
        """The rate of the most clients, events a second."""
        return self.rates[-1]

    def modules(self, number: int) -> list[float]:
        """The mean times of one of the modules, in seconds."""
        return [each.modules[number].mean for each in self.results]

    def knee(self, times: Sequence[float]) -> float:
        """The clients up to which times are flat."""
        return knee_of(self.clients, times).clients

    def at(self, clients: int) -> Result:
        """The result of so many clients, which must be one of the sweep's."""
        return self.results[self.clients.index(clients)]


Curves: TypeAlias = Mapping[str, Curve]


def spread(study: Study, share: float) -> Study:
    """The same with other CPU times from event to event."""
    return replace(study, client=replace(study.client, spread=share))


def requests_of(study: Study) -> int:
    """Of all clients: what a simulation has to work on."""
    asked = sum(each.requests for each in study.client.modules if isinstance(each, Ask))
    return study.clients * study.client.events * asked


def _with_events(study: Study, events: int) -> Study:
    return replace(study, client=replace(study.client, events=events))
