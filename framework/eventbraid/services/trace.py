"""Every step of some events with its times: the material of a timeline."""

from __future__ import annotations

from dataclasses import dataclass

from eventbraid.plan import Plan
from eventbraid.services.listener import Listener

__all__ = ["Span", "Trace"]


@dataclass(frozen=True, slots=True)
class Span:
    """A step of a module for an event; times in seconds since the first event was read."""

    event: int
    label: str
    step: str
    start: float
    stop: float


class Trace(Listener):
    """Keeps the steps of the events with numbers in [first, last), counted from 0 in the order of reading."""

    def __init__(self, first: int = 0, last: int = 32) -> None:
        self.first, self.last = first, last
        self.spans: list[Span] = []
        self.labels: tuple[str, ...] = ()
        self._origin: float | None = None

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        self.labels = plan.labels

    def event_begins(self, event: object, number: int, time: float) -> None:
        if self._origin is None:
            self._origin = time

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        if self.first <= number < self.last:
            origin = self._origin or 0.0
            self.spans.append(Span(number, self.labels[node], step, start - origin, stop - origin))
