"""What the service needs of the job that it controls, and the bounds of what may be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from eventbraid.errors import ConfigurationError
from eventbraid.event import PathState
from eventbraid.job import Job
from eventbraid.running import MOST_STREAMS
from eventbraid.services import Timing
from eventbraid.whereabouts import Whereabouts

__all__ = ["Controlled", "Counts", "check_interval", "check_streams"]

LEAST_INTERVAL, MOST_INTERVAL = 0.1, 60.0


class Counts(Protocol):
    """How many events have ended, and how."""

    @property
    def read(self) -> int:
        """Events that have ended."""
        ...

    @property
    def passed(self) -> int:
        """Of these, those that passed."""
        ...

    @property
    def failed(self) -> int:
        """Of these, those that failed."""
        ...

    @property
    def paths(self) -> Mapping[str, Mapping[PathState, int]]:
        """Events by the state in which each path ended."""
        ...


class Controlled(Protocol):
    """A run of a job, as the service sees it."""

    @property
    def job(self) -> Job:
        """Whose name is told."""
        ...

    @property
    def mode(self) -> str:
        """ "async" or "blocking"."""
        ...

    @property
    def streams(self) -> int:
        """How many events may be in flight."""
        ...

    @property
    def in_flight(self) -> int:
        """Events that were read and have not ended."""
        ...

    @property
    def seconds(self) -> float:
        """Since the first event was to be read."""
        ...

    @property
    def ledger(self) -> Counts:
        """The events that have ended."""
        ...

    @property
    def timing(self) -> Timing | None:
        """The times of the modules, where they are measured."""
        ...

    @property
    def reason(self) -> str:
        """Why the job is stopping; empty while it is not."""
        ...

    @property
    def held(self) -> bool:
        """True while nothing is read."""
        ...

    def hold(self) -> None:
        """Read nothing until `resume`; what is in flight is finished."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def stop(self, reason: str, *, after_lumi: bool = False, cancel: bool = False) -> bool:
        """Read no more events; False if that was said before."""
        ...

    async def set_streams(self, streams: int, /) -> None:
        """Have so many events in flight at most; raises `ConfigurationError` where the job cannot."""
        ...

    def whereabouts(self) -> list[Whereabouts]:
        """Where the events in flight are."""
        ...


def check_streams(streams: int) -> int:
    """The number as it is; raises `ConfigurationError` where no job may have so many events in flight."""
    if not 1 <= streams <= MOST_STREAMS:
        raise ConfigurationError(f"must be from 1 to {MOST_STREAMS:,}, not {streams:,}", "the events in flight")
    return streams


def check_interval(seconds: float) -> float:
    """The interval of a watch as it is; raises `ConfigurationError` that says what it may be."""
    if not LEAST_INTERVAL <= seconds <= MOST_INTERVAL:
        bounds = f"from {LEAST_INTERVAL:g} to {MOST_INTERVAL:g} seconds"
        raise ConfigurationError(f"must be {bounds}, not {seconds:g}", "the interval of a watch")
    return seconds
