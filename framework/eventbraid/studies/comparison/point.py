"""What a study measures: points of mode, events in flight and distance of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.job import Mode
from eventbraid.studies.units import shown_seconds

__all__ = ["MODES", "Point", "StudyMode", "make_points"]

StudyMode: TypeAlias = Literal["blocking", "local", "threads", "async"]
"""A job's modes; "local" is blocking mode with the models in the job's own process, as where there is no server."""

MODES: Final[tuple[StudyMode, ...]] = get_args(StudyMode)
"""In the order in which they are run and shown."""
LONGEST: Final = 10.0
"""Seconds of a distance: beyond, requests come near to their deadlines."""
MOST_STREAMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Point:
    """One way to run the job."""

    mode: StudyMode
    streams: int = 1
    """Events in flight at most; 1 in the modes that have no more."""
    distance: float | None = None
    """Seconds by which every answer of the server is late; None where nothing was added, or nobody is asked."""

    @property
    def run_mode(self) -> Mode:
        """The job's mode."""
        return "blocking" if self.mode == "local" else self.mode

    @property
    def concurrent(self) -> bool:
        """True where several events may be in flight."""
        return self.mode in ("threads", "async")

    @property
    def name(self) -> str:
        """How it is called in messages."""
        streams = f", {self.streams} in flight" if self.concurrent else ""
        away = "" if self.distance is None else f", {shown_seconds(self.distance)} away"
        return f"{self.mode}{streams}{away}"

    def to_dict(self) -> dict[str, Any]:
        """Its fields."""
        return {"mode": self.mode, "streams": self.streams, "distance_seconds": self.distance}


def make_points(modes: Sequence[str], streams: Sequence[int], distances: Sequence[float] = ()) -> tuple[Point, ...]:
    """Every mode at every number of streams and distance that it has, each once, distance by distance.

    Raises `ConfigurationError` with every fault: modes that are none, numbers that cannot be, nothing named.
    """
    faults = [
        Fault("--mode", f"there is no mode {mode!r}", nearest(str(mode), MODES)) for mode in modes if mode not in MODES
    ]
    faults += [
        Fault("--streams", f"must be whole numbers from 1 to {MOST_STREAMS}, not {each!r}")
        for each in streams
        if not 1 <= each <= MOST_STREAMS
    ]
    faults += [
        Fault("--distance", f"must be from 0 to {LONGEST:g} s, not {each!r} s")
        for each in distances
        if not 0 <= each <= LONGEST
    ]
    faults += [
        Fault(f"--{name}", "names nothing") for name, given in (("mode", modes), ("streams", streams)) if not given
    ]
    if faults:
        raise ConfigurationError(faults, "compare")
    chosen: list[StudyMode] = [mode for mode in MODES if mode in set(modes)]
    every = (
        Point(mode, number if mode in ("threads", "async") else 1, None if mode == "local" else distance)
        for distance in (*sorted(set(distances)),) or (None,)
        for mode in chosen
        for number in sorted(set(streams))
    )
    return tuple(dict.fromkeys(every))
