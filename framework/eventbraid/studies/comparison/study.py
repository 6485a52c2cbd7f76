"""Runs a job at several points, in turn, each time in a fresh process, and compares times and products."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypedDict

from eventbraid.errors import ConfigurationError, Fault
from eventbraid.loading import load_job
from eventbraid.plan import make_plan
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.measurement import Measurement, Window
from eventbraid.studies.comparison.point import Point, make_points
from eventbraid.studies.comparison.process import run_once
from eventbraid.studies.comparison.sameness import Difference, differences
from eventbraid.studies.comparison.servers import check_servers, serving
from eventbraid.studies.emulated import device_faults, unmeasured
from eventbraid.studies.servers import models_of

__all__ = ["Study", "StudyOptions", "window_of"]

ROWS: Final = 12
"""Events in the picture."""


class StudyOptions(TypedDict, total=False):
    """What may be said of a study; see `Study`."""

    modes: Sequence[str]
    streams: int | Sequence[int] | None
    distances: Sequence[float]
    bandwidth: float | None
    device: str
    events: int | None
    repeats: int
    servers: Sequence[str]
    accelerators: Sequence[str] | None
    seed: int | None
    settings: Mapping[str, Any] | None
    picture: str | Path | None
    say: Callable[[str], None]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


class Study:
    """A job at every point of `modes`, numbers of `streams` and `distances` of its server.

    Distances are seconds, `bandwidth` is bits a second in each direction, `device` an emulated one as in
    "emulated:t4,gpus=2": all are those of embedded servers that the study starts. `repeats` rounds are run, in each of
    which every point has its turn, after one run that fills caches for each server. Every run is a fresh process with
    the same input and settings, and writes its outputs to a temporary folder. A job that needs a server and names none
    gets an embedded one for all runs, so that its start is in no figure. Raises `ConfigurationError` when it is made,
    before anything runs.
    """

    def __init__(
        self,
        job_file: str | Path,
        *,
        modes: Sequence[str] = ("blocking", "async"),
        streams: int | Sequence[int] | None = None,
        distances: Sequence[float] = (),
        bandwidth: float | None = None,
        device: str = "",
        events: int | None = None,
        repeats: int = 3,
        servers: Sequence[str] = (),
        accelerators: Sequence[str] | None = None,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
        picture: str | Path | None = Path("compare.png"),
        say: Callable[[str], None] = _say,
    ) -> None:
        faults = [Fault("--repeats", f"must be at least 1, not {repeats}")] if repeats < 1 else []
        if bandwidth is not None and not 1 <= bandwidth < math.inf:
            faults.append(Fault("--bandwidth", f"must be at least 1 bit a second, not {bandwidth}"))
        faults += device_faults(device)
        if faults:
            raise ConfigurationError(faults, "compare")
        self._draw = _drawing(Path(picture)) if picture is not None else None
        self._job = load_job(job_file).replace(
            events=events,
            servers=list(servers) or None,
            accelerators=accelerators,
            seed=seed,
            settings=settings,
        )
        self._plan = make_plan(self._job)
        wanted = (self._job.streams,) if streams is None else (streams,) if isinstance(streams, int) else streams
        self.points = make_points(modes, wanted, distances)
        check_servers(self._job, self._plan, self.points, bandwidth, device)
        count = self._job.events if self._job.events is not None else self._job.source.count()
        self._window = window_of(count, max(point.streams for point in self.points))
        self._picture = Path(picture) if picture is not None else None
        self._repeats, self._bandwidth, self._device = repeats, bandwidth, device
        self._servers, self._say = servers, say
        self._request: dict[str, Any] = {
            "job_file": str(job_file),
            "events": events,
            "accelerators": self._job.available(),  # an embedded server is none of the job's own
            "seed": self._job.seed,
            "settings": dict(settings or {}),
            "keep_steps": [self._window.keep_first, self._window.keep_last],
        }
        self._runs: dict[Point, list[Measurement]] = {}
        self._warm: dict[Point, Measurement] = {}
        self._differences: list[Difference] = []
        self._unrepeated: list[Difference] = []

    def __repr__(self) -> str:
        ended = sum(len(runs) for runs in self._runs.values())
        return f"Study({self._job.name!r}, {len(self.points)} points, {ended} runs ended)"

    @property
    def window(self) -> Window:
        """The events of the picture."""
        return self._window

    @property
    def comparison(self) -> Comparison | None:
        """What was found so far; None before the first run has ended."""
        if not self._runs:
            return None
        found = Comparison(
            job=self._job.name,
            repeats=self._repeats,
            points=self.points,
            runs={point: tuple(self._runs[point]) for point in self.points if point in self._runs},
            differences=tuple(self._differences),
            unrepeated=tuple(self._unrepeated),
            bandwidth=self._bandwidth,
            setting=_setting(self._device),
        )
        return found if found.pair() is None else dataclasses.replace(found, picture=self._picture)

    def draw(self, comparison: Comparison) -> None:
        """Draw the picture that was asked for, where there are two modes to be seen."""
        if self._draw is not None and comparison.picture is not None:
            self._draw(comparison, self._window)

    async def run(self) -> Comparison:
        """Run all of it; raises `EventbraidError` with the words of a run that failed.

        Cancelling ends the running process. Either way `comparison` has the runs that had ended.
        """
        if not self._job.outputs:
            self._say(f"note: job {self._job.name!r} has no output: there are no products to compare")
        for note in unmeasured(self._device, models_of(self._plan)) if self._device else ():
            self._say(f"note: {note}")
        with tempfile.TemporaryDirectory(prefix="eventbraid-compare-") as folder:
            place = Path(folder)
            async with serving(
                self._job, self._servers, self._plan, self.points, self._bandwidth, self._device, place, self._say
            ) as servers:
                for point in _warming(self.points):
                    self._say(f"warming up: one run that does not count ({point.name})")
                    self._warm[point] = await run_once(
                        point, 0, self._request, servers[point], self._folder(place, point, 0)
                    )
                for repeat in range(1, self._repeats + 1):
                    for point in self.points:
                        run_folder = self._folder(place, point, repeat)
                        run = await run_once(point, repeat, self._request, servers[point], run_folder)
                        self._keep(run, await asyncio.to_thread(self._compared, run))
                        self._say(f"{run.name} of {self._repeats}: {run.events_per_second:,.1f} events/s")
                        if repeat > 1:
                            shutil.rmtree(run_folder)
        comparison = self.comparison
        assert comparison is not None
        return comparison

    def _folder(self, place: Path, point: Point, repeat: int) -> Path:
        return place / f"{self.points.index(point)}-{repeat}"

    def _keep(self, run: Measurement, found: tuple[list[Difference], list[Difference]]) -> None:
        """A run counts once it has been compared, with what it did otherwise."""
        self._runs.setdefault(run.point, []).append(run)
        self._differences += found[0]
        self._unrepeated += found[1]

    def _compared(self, run: Measurement) -> tuple[list[Difference], list[Difference]]:
        """What a run did otherwise than the first of all, and where it did, than another one of its own point."""
        first = self._runs.get(self.points[0])
        found = list(differences(first[0], run)) if first else []
        if not found:
            return [], []
        own = self._runs.get(run.point)
        other = own[0] if own else self._warm.get(run.point)
        return found, list(differences(other, run)) if other is not None else []


def _warming(points: Sequence[Point]) -> list[Point]:
    """The points with a run that does not count: for each server the last, which is the fastest."""
    by_server = {point.distance: point for point in points if point.mode != "local"}
    return list(by_server.values()) or [points[-1]]


def _setting(device: str) -> dict[str, str]:
    return {
        **({"device": device} if device else {}),
        "eventbraid": version("eventbraid"),
        "Python": platform.python_version(),
        "system": f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores",
    }


def _drawing(picture: Path) -> Callable[[Comparison, Window], None]:
    """What draws the picture; what stands against it is said before anything runs."""
    from eventbraid.studies.comparison.views.picture import draw
    from eventbraid.studies.picture import check

    check(picture)
    return lambda comparison, window: draw(comparison, window, picture)


def window_of(events: int | None, streams: int) -> Window:
    """Which events to picture: some from the middle of things, and beside them all that can be in flight."""
    first = 2 * streams
    if events is not None:
        first = max(0, min(first, events - ROWS - streams))
    return Window(first, first + ROWS, max(0, first - 2 * streams), first + ROWS + 2 * streams)
