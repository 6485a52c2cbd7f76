"""What braiding would give a job of another framework: its data flow, played again by stand-ins, in both modes."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple

from eventbraid.errors import ConfigurationError, EventbraidError, Fault, nearest
from eventbraid.job import Job, Mode
from eventbraid.studies.replay.called import called_per_second
from eventbraid.studies.replay.dataflow import Dataflow
from eventbraid.studies.replay.offload import Offload
from eventbraid.studies.replay.standins import Work, burns_per_second, make_job, make_works, steps_per_second
from eventbraid.studies.spread import Spread

__all__ = ["Rate", "Replay", "replay"]

LONGEST: Final = 60.0
"""Seconds of an event, at most: a replay of longer ones would not end."""


class Rate(NamedTuple):
    """Events a second of one run, and of one core around it: its bound, and the modules called by themselves."""

    events_per_second: float
    bound: float
    called: float
    cpu_share: float
    """CPU time of the process over wall time."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The runs of each mode, interleaved: the n-th run of every mode belongs to the n-th round.

    The bound is one core that makes the same calls of `burn` with the same numbers of steps, one after the other in a
    plain loop: without events, products, modules and waiting. It is measured around each run, with a quarter of the
    run's events before and as many after it, and taken together; a share is a run's over its own bound. So is what the
    same modules reach when they are called one after the other: what is lost beyond that is the scheduler's.
    """

    job: str
    algorithms: int
    away: tuple[str, ...]
    events: int
    streams: int
    scale: float
    cpu_seconds: float
    """CPU work of an event, by the times that were given."""
    away_seconds: float
    """For which the algorithms of an event are away, one after the other."""
    rates: Mapping[Mode, tuple[Rate, ...]]
    notes: tuple[str, ...] = ()

    @property
    def limit(self) -> float | None:
        """The speed-up if blocking cost nothing but work and waiting, and braiding nothing but work; None for none."""
        return (self.cpu_seconds + self.away_seconds) / self.cpu_seconds if self.cpu_seconds else None

    @property
    def speed_up(self) -> Spread | None:
        """Throughput braided over throughput blocking, round by round, where both ran."""
        if len(self.rates) < 2:
            return None
        pairs = zip(self.rates["async"], self.rates["blocking"], strict=True)
        return Spread.of([braided.events_per_second / blocking.events_per_second for braided, blocking in pairs])

    def events_per_second(self, mode: Mode) -> Spread:
        """Throughput over the time of the event loop."""
        return Spread.of([rate.events_per_second for rate in self.rates[mode]])

    def of_bound(self, mode: Mode) -> Spread:
        """Share of the bound."""
        return Spread.of([rate.events_per_second / rate.bound for rate in self.rates[mode]])

    def called_of_bound(self) -> Spread:
        """Share of the bound that the modules reach when they are called one after the other, without a scheduler."""
        return Spread.of([rate.called / rate.bound for rates in self.rates.values() for rate in rates])

    def of_called(self, mode: Mode) -> Spread:
        """Share of what the modules reach when they are called one after the other."""
        return Spread.of([rate.events_per_second / rate.called for rate in self.rates[mode]])

    def cpu_share(self, mode: Mode) -> Spread:
        """CPU time of the process over wall time."""
        return Spread.of([rate.cpu_share for rate in self.rates[mode]])

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        figures = ("events_per_second", "of_bound", "of_called", "cpu_share")
        return {
            **found,
            "away": list(self.away),
            "notes": list(self.notes),
            "limit": self.limit,
            "speed_up": asdict(self.speed_up) if self.speed_up else None,
            "called_of_bound": asdict(self.called_of_bound()),
            "figures": {mode: {name: asdict(getattr(self, name)(mode)) for name in figures} for mode in self.rates},
            "rates": {mode: [rate._asdict() for rate in rates] for mode, rates in self.rates.items()},
        }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def replay(
    dataflow: Dataflow,
    times: Mapping[str, float],
    *,
    offload: Offload | None = None,
    scale: float = 0.001,
    mode: str = "all",
    events: int = 100,
    streams: int = 16,
    runs: int = 3,
    say: Callable[[str], None] = _say,
) -> Replay:
    """Run the stand-ins of a data flow in each mode, in turn, `runs` times; times are in seconds and scaled.

    An algorithm without a time takes none, and is noted. Raises `ConfigurationError` before anything runs.
    """
    modes = _modes(mode)
    _check(scale=scale, events=events, streams=streams, runs=runs)
    names = [algorithm.name for algorithm in dataflow.algorithms]
    notes = tuple(_notes(names, times))
    away = offload.chosen(names, times) if offload else ()
    fraction = offload.fraction if offload else 0.0
    scaled = {name: scale * times.get(name, 0.0) for name in names}
    away_seconds = fraction * sum(scaled[name] for name in away)
    total = sum(scaled.values())
    if total > LONGEST:
        what = f"an event would take {total:,.0f} s, more than {LONGEST:.0f}"
        raise ConfigurationError([Fault(f"--scale {scale:g}", what, "choose a smaller one")], "--scale")
    for note in notes:
        say(f"warning: {note}")
    works = make_works(dataflow, scaled, steps_per_second(), frozenset(away), fraction)
    job = make_job(dataflow, works, events, streams)
    rates = _rates(job, works, modes, events, runs, say)
    return Replay(job.name, len(names), away, events, streams, scale, total - away_seconds, away_seconds, rates, notes)


def _rates(
    job: Job, works: Sequence[Work], modes: Sequence[Mode], events: int, runs: int, say: Callable[[str], None]
) -> Mapping[Mode, tuple[Rate, ...]]:
    """The rounds, after one run that does not count."""
    found: dict[Mode, list[Rate]] = {mode: [] for mode in modes}
    job.run(events=min(events, job.streams), timing=False)
    for number in range(1, runs + 1):
        for mode, rates in found.items():
            rates.append(_rate(job, works, mode, events))
            say(f"{mode} run {number} of {runs}: {rates[-1].events_per_second:,.1f} events/s")
    return {mode: tuple(rates) for mode, rates in found.items()}


def _rate(job: Job, works: Sequence[Work], mode: Mode, events: int) -> Rate:
    quarter = max(1, events // 4)
    before = _around(job, works, quarter)
    report = job.run(mode, timing=False)
    after = _around(job, works, quarter)
    if report.interrupted:
        raise EventbraidError("the replay was interrupted")
    bound, called = (statistics.harmonic_mean(pair) for pair in zip(before, after, strict=True))
    return Rate(report.events_per_second, bound, called, report.cpu_seconds / report.seconds)


def _around(job: Job, works: Sequence[Work], events: int) -> tuple[float, float]:
    return burns_per_second(works, events), called_per_second(job, events)


def _modes(mode: str) -> tuple[Mode, ...]:
    every: tuple[Mode, ...] = ("blocking", "async")
    if mode == "all":
        return every
    if mode not in every:
        fault = Fault("--mode", f"there is no mode {mode!r}", nearest(mode, (*every, "all")))
        raise ConfigurationError([fault], "--mode")
    return (mode,)


def _check(scale: float, **counts: int) -> None:
    faults = [Fault(f"--{name}", f"must be at least 1, not {n}") for name, n in counts.items() if n < 1]
    if not 0 < scale < math.inf:
        faults.append(Fault("--scale", f"must be a number above 0, not {scale}"))
    if faults:
        raise ConfigurationError(faults, "the replay")


def _notes(names: Sequence[str], times: Mapping[str, float]) -> Iterator[str]:
    """What the times do not say, and what they say of others; raises where they say nothing of the algorithms."""
    known = [name for name in names if times.get(name)]
    if not known:
        fault = Fault(
            "--times", f"have no time above 0 of any of the {len(names)} algorithms", nearest(names[0], times)
        )
        raise ConfigurationError([fault], "--times")
    untimed = [name for name in names if name not in times]
    if untimed:
        yield f"{len(untimed)} of {len(names)} algorithms have no time and take none: {_first(untimed)}"
    others = sorted(times.keys() - set(names))
    if others:
        yield f"{len(others)} of {len(times)} times are of no algorithm of the graph: {_first(others)}"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
