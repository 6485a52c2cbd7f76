"""Where the time of an event goes: its modules, the framework, waiting; and which module has how much of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, TypeVar

from eventbraid.studies.comparison.measurement import Measurement
from eventbraid.studies.comparison.point import Point

__all__ = ["EventTime", "ModuleTime", "crowding", "event_time", "module_times"]

CROWDED: Final = 1.1
"""The modules' time by the clock over the process's CPU time, from which on others had the core."""

T = TypeVar("T", "EventTime", "ModuleTime")


@dataclass(frozen=True, slots=True)
class EventTime:
    """Wall seconds of the job for each event, taken apart: the parts add up to one over events per second.

    With threads the CPU time may exceed the wall time; nothing is then waiting.
    """

    modules: float
    """For which a module had the core."""
    network: float
    """Of computing models in this process; they have threads of their own."""
    framework: float
    """The rest of the process's CPU time: scheduling, requests, outputs, the source."""
    waiting: float
    """For which the process had no work to do, or no core."""


@dataclass(frozen=True, slots=True)
class ModuleTime:
    """Seconds of one module for each event of the job."""

    cpu: float
    waiting: float
    external: float
    """Of its external work, of all events at once: while it is away others have the core."""


def event_time(runs: Sequence[Measurement]) -> EventTime:
    """Medians over the runs of one point, part by part."""
    return _median([_of_run(run) for run in runs])


def module_times(runs: Sequence[Measurement]) -> Mapping[str, ModuleTime]:
    """The times of each module, those first that have the core for longest."""
    labels = runs[0].report["modules"]
    found = {label: _median([_of_module(run, label) for run in runs]) for label in labels}
    used = {label: each for label, each in found.items() if each.cpu or each.waiting or each.external}
    return dict(sorted(used.items(), key=lambda item: (-item[1].cpu, -item[1].external)))


def crowding(points: Mapping[Point, Sequence[Measurement]]) -> str:
    """What is said where others had the core that the modules were to have; empty where none had.

    With several events in flight a module's time is told by the clock: it can exceed the process's CPU time only where
    the module itself waits within a step, or where the machine has other work.
    """
    excess = [
        statistics.median(run.cpu_an_event * run.events / float(run.report["cpu_seconds"] or 1) for run in runs)
        for point, runs in points.items()
        if point.concurrent
    ]
    crowded = [each for each in excess if each > CROWDED]
    if not crowded:
        return ""
    return (
        f"at {len(crowded)} of {len(points)} points modules had the core for longer by the clock than the process by "
        f"its CPU time, up to {max(crowded):.1f} times as long: other programs were running, or a module sleeps; "
        "measure again where it is quiet"
    )


def _of_run(run: Measurement) -> EventTime:
    """The parts of one run; the clocks of steps tell wall time, so the modules' part is at most the process's."""
    events = run.events
    cpu, wall = (float(run.report[name]) / events for name in ("cpu_seconds", "seconds"))
    modules = min(run.cpu_an_event, cpu)
    here = run.report["inference"].get("models", ()) if run.point.mode == "local" else ()
    computing = sum(float(each["latency"]["mean"]) * int(each["requests"]) for each in here) / events
    network = min(computing, cpu - modules)
    return EventTime(modules, network, cpu - modules - network, max(wall - cpu, 0.0))


def _of_module(run: Measurement, label: str) -> ModuleTime:
    times = run.report["modules"][label]
    kinds = ("cpu_seconds", "waiting_seconds", "external_seconds")
    return ModuleTime(*(float(times[kind]) / run.events for kind in kinds))


def _median(each: Sequence[T]) -> T:
    of_type = type(each[0])
    names = [field.name for field in fields(of_type)]
    return of_type(*(statistics.median(getattr(one, name) for one in each) for name in names))
