"""A run that does nothing but say what it is told to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from eventbraid import ConfigurationError, EventID, Job
from eventbraid.control.subject import Controlled
from eventbraid.event import PathState
from eventbraid.services import Timing
from eventbraid.services.timing import ModuleTimes
from eventbraid.sources import EmptySource
from eventbraid.whereabouts import Whereabouts


@dataclass
class FakeCounts:
    read: int = 0
    passed: int = 0
    failed: int = 0
    paths: dict[str, dict[PathState, int]] = field(default_factory=dict)


class FakeTiming(Timing):
    """Has the times that it is given."""

    def __init__(self, **times: ModuleTimes) -> None:
        super().__init__()
        self.labels, self._times = tuple(times), list(times.values())


class FakeRun:
    """Remembers how it was stopped and what it was changed to."""

    def __init__(self, name: str = "fake", mode: str = "async") -> None:
        self.job = Job(name, source=EmptySource(events=1), modules={})
        self.mode, self.reason, self.held = mode, "", False
        self.streams, self.in_flight, self.seconds = 8, 0, 0.0
        self.ledger = FakeCounts()
        self.timing: Timing | None = None
        self.places: list[Whereabouts] = []
        self.stops: list[tuple[str, bool, bool]] = []
        self.fault = ""

    def hold(self) -> None:
        self.held = True

    def resume(self) -> None:
        self.held = False

    def stop(self, reason: str, *, after_lumi: bool = False, cancel: bool = False) -> bool:
        self.stops.append((reason, after_lumi, cancel))
        stopped, self.reason = not self.reason, self.reason or reason
        return stopped

    async def set_streams(self, streams: int) -> None:
        if self.fault:
            raise ConfigurationError(self.fault)
        self.streams = streams

    def whereabouts(self) -> list[Whereabouts]:
        return self.places


def place(number: int, label: str, step: str = "produce", ago: float = 0.0, server: str = "") -> Whereabouts:
    """An event of run 1, luminosity section 2."""
    return Whereabouts(EventID(1, 2, number + 1), number, label, step, perf_counter() - ago, server)


_: Controlled = FakeRun()
