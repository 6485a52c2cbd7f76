"""The throughput of a server while a given number of requests is kept in flight. Told the time, so that it can be
tested without waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Final

__all__ = ["Meter", "Rate", "Trial", "rate_of"]

SHORTEST: Final = 0.01
"""Seconds of a round at least."""
LONGEST: Final = 1.0
"""Seconds from which on a round may be over early, and a trial that stays unclear is given up."""
FEW: Final = 3
MANY: Final = 12
"""Rounds of a trial at least, to know its error; and before it is given up."""
SURE: Final = 2.0
"""Standard errors from which on a difference is clear."""
PRECISE: Final = 0.015
"""The relative standard error of a throughput that is known well."""
PAUSE: Final = 5.0
REST: Final = 20
"""Seconds, and rounds, of a trial that is a rest."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A throughput, answers a second, and its standard error."""

    value: float
    error: float

    def beats(self, other: Rate, gain: float) -> bool:
        """Is it more than so many times the other?"""
        return self.value > gain * other.value

    def surely(self, other: Rate, gain: float) -> bool:
        """Is it clear whether it is?"""
        return abs(self.value - gain * other.value) > SURE * hypot(self.error, gain * other.error)


@dataclass(frozen=True, slots=True)
class Trial:
    """Keep `limit` requests in flight: until the throughput is known well or, with `than`, until it is clear whether
    it beats that by `gain`. A `rest` takes its time."""

    limit: int
    than: Rate | None = None
    gain: float = 1.0
    rest: bool = False


def rate_of(rounds: Sequence[tuple[int, float]]) -> Rate:
    """The throughput of some rounds, two or more: the answers and seconds of each."""
    seconds = sum(each for _, each in rounds)
    value = sum(answers for answers, _ in rounds) / seconds
    spread = sum((answers - value * each) ** 2 for answers, each in rounds)
    return Rate(value, sqrt(spread * len(rounds) / (len(rounds) - 1)) / seconds)


class Meter:
    """Measures during one trial, in rounds, of which those count in which enough was in flight.

    A round has as many answers as the limit, so that it is a whole cycle of a server that answers in bursts.
    """

    __slots__ = ("_answers", "_area", "_last", "_round", "_rounds", "_skip", "_start", "trial")

    def __init__(self, trial: Trial, now: float, in_flight: int) -> None:
        self.trial = trial
        self._rounds: list[tuple[int, float]] = []
        self._start = self._round = self._last = now
        self._skip = max(trial.limit, in_flight)  # what is in flight was sent under the limit before
        self._answers, self._area = 0, 0.0

    def __repr__(self) -> str:
        return f"Meter({self.trial}, {len(self._rounds)} rounds)"

    def passes(self, now: float, in_flight: int) -> None:
        """Until now, so many were in flight."""
        self._area += (now - self._last) * in_flight
        self._last = now

    def answer(self, now: float) -> Rate | None:
        """Count an answer; gives the throughput once the trial is over."""
        if self._skip:
            self._skip -= 1
            self._round, self._area = now, 0.0
            return None
        self._answers += 1
        answers, seconds, limit = self._answers, now - self._round, self.trial.limit
        if seconds < SHORTEST or (answers < limit and (seconds < LONGEST or 8 * answers < limit)):
            return None
        full = self._area >= (0.75 * limit - 0.5) * seconds
        self._round, self._answers, self._area = now, 0, 0.0
        if not full:
            return None
        self._rounds.append((answers, seconds))
        return self._result(now - self._start)

    def _result(self, lasted: float) -> Rate | None:
        count, trial = len(self._rounds), self.trial
        if trial.rest:
            return rate_of(self._rounds) if lasted > PAUSE and count >= REST else None
        if count < FEW:
            return None
        rate = rate_of(self._rounds)
        if trial.than is None:
            clear = rate.error < PRECISE * rate.value
        else:
            clear = rate.surely(trial.than, trial.gain)
        return rate if clear or (lasted > LONGEST and count >= MANY) else None
