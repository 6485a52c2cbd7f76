"""What a study found: the runs of every point, the gain with its spread, and whether products agree."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eventbraid.studies.comparison.bounds import Bounds
from eventbraid.studies.comparison.eventtime import crowding, event_time, module_times
from eventbraid.studies.comparison.figures import Figures, figures, ratios
from eventbraid.studies.comparison.load import Load, loads, plateau, saturation
from eventbraid.studies.comparison.measurement import Measurement
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.comparison.sameness import Difference
from eventbraid.studies.spread import Spread

__all__ = ["Comparison"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A job at the points of a study, run in turn; the n-th run of every point belongs to the n-th round.

    A study that was interrupted has the runs that had ended.
    """

    job: str
    repeats: int
    """Runs of each point that were asked for."""
    points: tuple[Point, ...]
    """All that were asked for."""
    runs: Mapping[Point, tuple[Measurement, ...]]
    """Of those points that have any."""
    differences: tuple[Difference, ...] = ()
    """All that any run did otherwise than the first run of the first point."""
    unrepeated: tuple[Difference, ...] = ()
    """What a run did otherwise than another run of its own point: the job does not repeat itself."""
    bandwidth: float | None = None
    """Bits a second in each direction that the server's network was given; None for what the machine has."""
    setting: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where and with what it was measured, in words."""
    picture: Path | None = None
    """Where the picture is drawn, if there are two modes to be seen."""

    @property
    def complete(self) -> bool:
        """True when every point has all its runs."""
        return all(len(self.runs.get(point, ())) == self.repeats for point in self.points)

    @property
    def identical(self) -> bool:
        """True when every run gave the same products, bit for bit, path results and failures."""
        return not self.differences

    @property
    def first(self) -> Measurement:
        """The run that all others are compared with."""
        return next(iter(self.runs.values()))[0]

    @property
    def bound(self) -> float:
        """Events per second that the CPU work of the modules alone would allow on one core; of the first mode's runs.

        That is blocking mode where it ran. External work is no part of it, nor what the client spends on requests,
        nor the framework: no job on one core goes beyond, and what is missing is what these and waiting cost.
        """
        mode = next(iter(self.runs)).mode
        of_mode = [run for point, runs in self.runs.items() if point.mode == mode for run in runs]
        work = statistics.median(run.cpu_an_event for run in of_mode)
        return 1 / work if work else 0.0

    @property
    def figures(self) -> Mapping[Point, Figures]:
        """The figures of each point."""
        bound = self.bound
        return {point: figures(runs, bound) for point, runs in self.runs.items()}

    @property
    def loads(self) -> Mapping[Point, Mapping[tuple[str, str], Load]]:
        """What the servers had to do at each point, by model and server."""
        return {point: loads(runs) for point, runs in self.runs.items()}

    @property
    def saturated(self) -> tuple[str, ...]:
        """The servers that were at their limit, each in a sentence."""
        said = [
            saturation(point.name, key, load)
            for point, of_point in self.loads.items()
            for key, load in of_point.items()
        ]
        return tuple(each for each in said if each)

    @property
    def crowded(self) -> str:
        """A sentence about other programs that had the core; empty where none had."""
        return crowding(self.runs)

    @property
    def distances(self) -> tuple[float | None, ...]:
        """Of the points that ask a server at a distance of their own."""
        found = dict.fromkeys(point.distance for point in self.runs if point.mode != "local")
        return tuple(found) or (None,)

    def reference(self, point: Point) -> Point:
        """What a point's gain is counted from: blocking mode at its distance, else the first point."""
        same = [each for each in self.runs if each.mode == "blocking" and each.distance == point.distance]
        return same[0] if same else next(iter(self.runs))

    def speed_up(self, point: Point) -> Spread | None:
        """Throughput over that of the point's reference, round by round; None for the reference itself."""
        reference = self.reference(point)
        return None if point == reference else ratios(self.runs[point], self.runs[reference])

    def best(self, distance: float | None) -> Point | None:
        """The fastest braided point at a distance, else one with threads; None where there is none."""
        there = [point for point in self.runs if point.concurrent and point.distance == distance]
        braided = [point for point in there if point.mode == "async"] or there
        return max(braided, key=lambda point: _rate(self.runs[point]), default=None)

    def pair(self) -> tuple[Point, Point] | None:
        """What is pictured: the reference and the best point at the largest distance; None where there is one mode."""
        below = self.best(self.distances[-1])
        if below is None or (above := self.reference(below)).mode == below.mode:
            return None
        return above, below

    def bounds(self) -> tuple[Bounds, ...]:
        """For each distance how far the fastest point is from what binds it."""
        found: list[Bounds] = []
        every = self.loads
        for distance in self.distances:
            best = self.best(distance)
            if best is None:
                continue
            here = [point for point in self.runs if point.mode != "local" and point.distance == distance]
            alone = self.runs[min(here, key=lambda point: (point.streams, point.mode != "blocking"))]
            latency = statistics.median(statistics.fmean(run.latencies) for run in alone)
            server = plateau(every[point] for point in here)
            found.append(Bounds(distance, self.bound, server, latency, _rate(self.runs[best]), best.streams))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries, the reports of all runs included."""
        first = self.first
        return {
            "job": self.job,
            "events": first.events,
            "repeats": self.repeats,
            "complete": self.complete,
            "bandwidth_bits_per_second": self.bandwidth,
            "setting": dict(self.setting),
            "identical": self.identical,
            "repeatable": not self.unrepeated,
            "differences": [asdict(each) for each in self.differences],
            "unrepeated": [asdict(each) for each in self.unrepeated],
            "compared": {"files": list(first.files), "decisions": len(first.decisions)},
            "bound_events_per_second": self.bound,
            "bounds": [
                {**asdict(each), "lowest": each.lowest, "events_needed": each.needed, "reached": each.reached}
                for each in self.bounds()
            ],
            "saturated": list(self.saturated),
            "crowded": self.crowded,
            "points": [self._point(point, each) for point, each in self.figures.items()],
            "picture": str(self.picture) if self.picture else None,
        }

    def _point(self, point: Point, of_point: Figures) -> dict[str, Any]:
        gain, runs = self.speed_up(point), self.runs[point]
        return {
            **point.to_dict(),
            "name": point.name,
            "figures": asdict(of_point),
            "speed_up": asdict(gain) if gain is not None else None,
            "event_seconds": asdict(event_time(runs)),
            "module_seconds": {label: asdict(each) for label, each in module_times(runs).items()},
            "servers": [
                {"model": model, "server": server, **asdict(load), "saturated": load.saturated}
                for (model, server), load in self.loads[point].items()
            ],
            "runs": [dict(run.report) for run in runs],
        }


def _rate(runs: Sequence[Measurement]) -> float:
    return statistics.median(run.events_per_second for run in runs)
