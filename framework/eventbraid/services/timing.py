"""Calls and times of each module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

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
        self._runs: dict[tuple[int, int], list[float]] = {}
        """For the steps along a walk, by the first node and their number, the stamps of several events."""
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
        if nodes.__class__ is range:
            key = nodes[0], len(nodes)
            run = self._runs.get(key)
            if run is None:
                run = self._runs[key] = []
            run += stamps
            if len(run) > FOLD:
                self._fold_run(*key)
            return
        self._nodes += nodes
        self._nodes.append(BREAK)
        self._stamps += stamps
        if len(self._nodes) > FOLD:
            self._fold()

    def _fold_run(self, first: int, size: int) -> None:
        """Add up what was noted of the same steps of several events."""
        import numpy as np

        seconds = np.diff(np.array(self._runs.pop((first, size))).reshape(-1, size + 1))
        self._add(range(first, first + size), [len(seconds)] * size, seconds.sum(axis=0), seconds.max(axis=0))

    def _fold(self) -> None:
        """Add up what was noted of any steps."""
        import numpy as np

        nodes, stamps = np.array(self._nodes), np.array(self._stamps)
        self._nodes.clear()
        self._stamps.clear()
        own = nodes[:-1] != BREAK
        seconds, nodes = np.diff(stamps)[own], nodes[:-1][own]
        order = np.argsort(nodes, kind="stable")
        kinds, first, calls = np.unique(nodes[order], return_index=True, return_counts=True)
        sums, most = np.add.reduceat(seconds[order], first), np.maximum.reduceat(seconds[order], first)
        self._add(kinds.tolist(), calls.tolist(), sums, most)

    def _add(self, nodes: Sequence[int], calls: Sequence[int], sums: Any, most: Any) -> None:
        for node, count, total, longest in zip(nodes, calls, sums.tolist(), most.tolist(), strict=True):
            times = self._times[node]
            times.calls += count
            times.cpu_seconds += total
            times.max_seconds = max(times.max_seconds, longest)

    @property
    def times(self) -> list[ModuleTimes]:
        """The times of each node of the plan."""
        for key in list(self._runs):
            self._fold_run(*key)
        if self._nodes:
            self._fold()
        return self._times

    def by_label(self) -> dict[str, ModuleTimes]:
        """The times of each module and output by its label."""
        return dict(zip(self.labels, self.times, strict=True))
