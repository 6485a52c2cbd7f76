"""Calls and times of each module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eventbraid.plan import Plan
from eventbraid.services.listener import Listener

__all__ = ["ModuleTimes", "Timing"]

BREAK: Final = -1
"""Between two runs of steps."""
FOLD: Final = 8192
"""Steps that are only noted before they are added up, which is cheaper for many at once."""


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
        self.labels: tuple[str, ...] = ()
        self._times: list[ModuleTimes] = []
        self._nodes: list[int] = []
        self._stamps: list[float] = []

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        self.labels = plan.labels
        self._times = [ModuleTimes() for _ in plan.nodes]

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        times = self._times[node]
        seconds = stop - start
        if step == "external work":
            times.external_seconds += seconds
            if seconds > times.external_max_seconds:
                times.external_max_seconds = seconds
            return
        if step != "acquire":
            times.calls += 1
        times.cpu_seconds += busy
        times.waiting_seconds += max(0.0, seconds - busy)
        if seconds > times.max_seconds:
            times.max_seconds = seconds

    def walked(self, number: int, nodes: Sequence[int], stamps: Sequence[float]) -> None:
        mine = self._nodes
        mine += nodes
        mine.append(BREAK)
        self._stamps += stamps
        if len(mine) > FOLD:
            self._fold()

    def _fold(self) -> None:
        """Add up what was only noted so far."""
        import numpy as np

        nodes, stamps = np.array(self._nodes), np.array(self._stamps)
        self._nodes.clear()
        self._stamps.clear()
        if not len(nodes):
            return
        own = nodes[:-1] != BREAK
        seconds, nodes = np.diff(stamps)[own], nodes[:-1][own]
        size = len(self._times)
        calls, sums = np.bincount(nodes, minlength=size), np.bincount(nodes, seconds, size)
        longest = np.zeros(size)
        np.maximum.at(longest, nodes, seconds)
        for times, count, total, most in zip(self._times, calls.tolist(), sums.tolist(), longest.tolist(), strict=True):
            times.calls += count
            times.cpu_seconds += total
            times.max_seconds = max(times.max_seconds, most)

    @property
    def times(self) -> list[ModuleTimes]:
        """The times of each node of the plan."""
        self._fold()
        return self._times

    def by_label(self) -> dict[str, ModuleTimes]:
        """The times of each module and output by its label."""
        return dict(zip(self.labels, self.times, strict=True))
