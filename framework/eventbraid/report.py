"""What a job did: events, paths, modules, failures, times."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventbraid.event import PathState
from eventbraid.ledger import Failure, Ledger
from eventbraid.module import Figure
from eventbraid.services.timing import ModuleTimes

__all__ = ["EventCounts", "Report"]


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Events of a job: read = passed + failed + not selected."""

    read: int
    passed: int
    failed: int

    @property
    def not_selected(self) -> int:
        """Events that ended well and passed no path."""
        return self.read - self.passed - self.failed


@dataclass(frozen=True, slots=True)
class Report:
    """What a job did, in which time."""

    job: str
    mode: str
    streams: int
    events: EventCounts
    seconds: float
    """Time of the event loop alone: from the first event's reading to the last one's end."""
    cpu_seconds: float
    """CPU time of the process within that."""
    paths: Mapping[str, Mapping[str, int]]
    """For each path how many events ended in each state: pass, fail, exception, not run."""
    modules: Mapping[str, ModuleTimes]
    failures: tuple[Failure, ...]
    """The errors of modules, in the order of the events; the first thousand."""
    errors: int
    """How many errors there were."""
    warnings: tuple[str, ...] = field(default=())
    interrupted: bool = False
    cancelled: int = 0
    """External work that was cancelled because its event was given up."""
    figures: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict[str, Mapping[str, Figure]])
    """What modules show of themselves, by label and name: see `Module.figures`."""
    inference: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was asked of models and servers: see docs/inference.md; empty where no module asks any."""

    @property
    def events_per_second(self) -> float:
        """Throughput over `seconds`."""
        return self.events.read / self.seconds if self.seconds else 0.0

    @property
    def efficiency(self) -> float:
        """Useful CPU time, that of the modules, over the time of the event loop; 0 without timing."""
        busy = sum(times.cpu_seconds for times in self.modules.values())
        return busy / self.seconds if self.seconds else 0.0

    def to_json(self, indent: int | None = 2) -> str:
        """All of it as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries."""
        return {
            "job": self.job,
            "mode": self.mode,
            "streams": self.streams,
            "events": {**dataclasses.asdict(self.events), "not_selected": self.events.not_selected},
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "events_per_second": self.events_per_second,
            "efficiency": self.efficiency,
            "paths": {name: dict(counts) for name, counts in self.paths.items()},
            "modules": {
                label: {**dataclasses.asdict(times), "mean_seconds": times.mean_seconds}
                for label, times in self.modules.items()
            },
            "errors": self.errors,
            "failures": [
                {
                    "event": str(failure.event),
                    "path": failure.error.path,
                    "module": failure.error.label,
                    "step": failure.error.step,
                    "error": str(failure.error.args[0]),
                }
                for failure in self.failures
            ],
            "warnings": list(self.warnings),
            "interrupted": self.interrupted,
            "cancelled": self.cancelled,
            "figures": {label: dict(figures) for label, figures in self.figures.items()},
            "inference": dict(self.inference),
        }


def make_report(
    ledger: Ledger, job: str, mode: str, streams: int, seconds: float, cpu_seconds: float, **more: Any
) -> Report:
    """The report of a ledger."""
    return Report(
        job=job,
        mode=mode,
        streams=streams,
        events=EventCounts(ledger.read, ledger.passed, ledger.failed),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        paths={name: {state.value: counts[state] for state in PathState} for name, counts in ledger.paths.items()},
        failures=tuple(sorted(ledger.failures, key=lambda failure: failure.number)),
        errors=ledger.errors,
        **more,
    )
