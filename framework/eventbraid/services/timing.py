"""Calls and times of each module."""

from __future__ import annotations

from dataclasses import dataclass

from eventbraid.plan import Plan
from eventbraid.services.listener import Listener

__all__ = ["ModuleTimes", "Timing"]


@dataclass(slots=True)
class ModuleTimes:
    """Times of one module over a job, in seconds."""

    calls: int = 0
    """Events for which its final step ran."""
    cpu_seconds: float = 0.0
    """For which it had the core; a step that waits counts until it first does."""
    waiting_seconds: float = 0.0
    """For which its own steps, external work apart, waited."""
    max_seconds: float = 0.0
    """The longest single step, external work apart."""
    external_seconds: float = 0.0
    external_max_seconds: float = 0.0

    @property
    def mean_seconds(self) -> float:
        """Time of its own steps for an event, external work apart."""
        return (self.cpu_seconds + self.waiting_seconds) / self.calls if self.calls else 0.0


class Timing(Listener):
    """Adds up the times of each module."""

    def __init__(self) -> None:
        self.times: list[ModuleTimes] = []
        self.labels: tuple[str, ...] = ()

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        self.labels = plan.labels
        self.times = [ModuleTimes() for _ in plan.nodes]

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        times = self.times[node]
        seconds = stop - start
        if step == "external work":
            times.external_seconds += seconds
            if seconds > times.external_max_seconds:
                times.external_max_seconds = seconds
            return
        if step != "acquire":
            times.calls += 1
        times.cpu_seconds += busy
        times.waiting_seconds += seconds - busy
        if seconds > times.max_seconds:
            times.max_seconds = seconds

    def by_label(self) -> dict[str, ModuleTimes]:
        """The times of each module and output by its label."""
        return dict(zip(self.labels, self.times, strict=True))
