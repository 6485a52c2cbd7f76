"""What one run of a job gave: its report, the latency of each event, the steps of some, and where its products are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from eventbraid.studies.comparison.point import Point

__all__ = ["Measurement", "Step", "Window", "run_name"]


class Step(NamedTuple):
    """A step of a module for an event; seconds since the first event was read."""

    event: int
    label: str
    step: str
    start: float
    stop: float
    busy: float
    """For which the module had the core, from `start` on; 0 for external work."""


class Window(NamedTuple):
    """Which events are pictured, and the wider range of events whose steps are kept; ends are exclusive."""

    first: int
    last: int
    keep_first: int
    keep_last: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of a job in a process of its own."""

    point: Point
    repeat: int
    """Counted from 1; 0 for the warming run."""
    report: Mapping[str, Any]
    """`Report.to_dict()`."""
    latencies: tuple[float, ...]
    """From reading to end, of each event, in seconds."""
    steps: tuple[Step, ...]
    decisions: tuple[tuple[str, ...], ...]
    """For each event that did not fail: its identity, then how each path ended and by which module."""
    files: Mapping[str, Path]
    """Where each output's products were written."""

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return run_name(self.point, self.repeat)

    @property
    def events(self) -> int:
        """Events read."""
        return int(self.report["events"]["read"])

    @property
    def events_per_second(self) -> float:
        """Throughput over the time of the event loop."""
        return float(self.report["events_per_second"])

    @property
    def cpu_share(self) -> float:
        """CPU time of the process over wall time; above 1 where threads work too."""
        return float(self.report["cpu_seconds"] / self.report["seconds"]) if self.report["seconds"] else 0.0

    @property
    def efficiency(self) -> float:
        """CPU time of the modules over wall time: what their clocks say, and at most the process's CPU time."""
        return min(float(self.report["efficiency"]), self.cpu_share)

    @property
    def in_flight(self) -> float:
        """How many events were in flight, on average over time."""
        return sum(self.latencies) / self.report["seconds"] if self.report["seconds"] else 0.0

    @property
    def cpu_an_event(self) -> float:
        """CPU seconds of all modules for an event, external work apart."""
        seconds = sum(float(times["cpu_seconds"]) for times in self.report["modules"].values())
        return seconds / self.events if self.events else 0.0

    @classmethod
    def from_dict(cls, result: Mapping[str, Any], point: Point, repeat: int) -> Measurement:
        """From what the child process wrote."""
        return cls(
            point=point,
            repeat=repeat,
            report=result["report"],
            latencies=tuple(result["latencies"]),
            steps=tuple(Step(*step) for step in result["steps"]),
            decisions=tuple(tuple(decision) for decision in result["decisions"]),
            files={name: Path(file) for name, file in result["files"].items()},
        )


def run_name(point: Point, repeat: int) -> str:
    """How a run is called in messages; the run 0 of a point is the one that warms it."""
    return f"{point.name}, run {repeat}" if repeat else f"the warming run ({point.name})"
