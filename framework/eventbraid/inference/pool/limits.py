"""How much one server is given at once: a bound on requests and bytes, and the number of requests that is enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

from eventbraid.inference.pool.throughput import Meter, Rate, Trial

__all__ = ["AdaptiveLimit", "Slots", "Step"]

START: Final = 16
MOST: Final = 1024
"""Requests in flight at first, and at most."""
BACK: Final = 0.7
"""What is kept of the limit when the server says that it is busy."""


class Slots:
    """The bound on requests and on bytes in flight of one server.

    One request always has room where nothing is in flight, however large it is. `most_requests` may be changed.
    """

    __slots__ = ("bytes", "most_bytes", "most_requests", "requests")

    def __init__(self, most_requests: int, most_bytes: int) -> None:
        self.most_requests, self.most_bytes = most_requests, most_bytes
        self.requests = self.bytes = 0

    def __repr__(self) -> str:
        return f"Slots({self.requests} of {self.most_requests} requests, {self.bytes} of {self.most_bytes} bytes)"

    def free(self, nbytes: int) -> bool:
        """True where a request of that size has room."""
        return self.requests == 0 or (self.requests < self.most_requests and self.bytes + nbytes <= self.most_bytes)

    def take(self, nbytes: int) -> None:
        """A request of that size is on its way."""
        self.requests += 1
        self.bytes += nbytes

    def give(self, nbytes: int) -> None:
        """It is over."""
        self.requests -= 1
        self.bytes -= nbytes


@dataclass(frozen=True, slots=True)
class Step:
    """A number of requests in flight that was tried or chosen."""

    seconds: float
    """When that was, since the first request."""
    limit: int
    per_second: float
    """Requests answered a second."""

    def __str__(self) -> str:
        return f"{self.limit} requests at once, after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class _Stride:
    """How two numbers of requests in flight are compared."""

    factor: float
    gain: float
    """In throughput, which makes the larger one worth it."""
    guess: bool
    """Take what looks better even where that is not clear."""

    def worth(self, more: Rate, fewer: Rate) -> bool:
        """Is the larger one worth it?"""
        return more.beats(fewer, self.gain) and (self.guess or more.surely(fewer, self.gain))

    def needless(self, fewer: Rate, more: Rate) -> bool:
        """Does the smaller one do as much?"""
        return fewer.beats(more, 1 / self.gain) and (self.guess or fewer.surely(more, 1 / self.gain))


COARSE: Final = _Stride(2.0, 1.2, guess=True)
"""On the way from the start."""
FINE: Final = _Stride(sqrt(2), 1.02, guess=False)
"""Around what was found: where nothing is clear, all stays as it is."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A number of requests in flight, its throughput, and the greatest one that was seen around it."""

    limit: int
    rate: Rate
    best: Rate

    def seen(self, rate: Rate) -> _Place:
        """The same, having seen another throughput."""
        return replace(self, best=max(self.best, rate, key=lambda each: each.value))


_Search = Generator[Trial, Rate, None]
_Moves = Generator[Trial, Rate, _Place]


class AdaptiveLimit:
    """Finds the number of requests in flight at which the throughput of a server stops growing.

    It compares throughputs: latencies tell when a queue begins, but with dynamic batching a queue is what makes
    the throughput grow. From `start` it halves the number as long as that costs little, else doubles it as long
    as that gains, and then looks around what it found in finer steps, again and again with a rest in between.
    It measures only while the demand fills the limit. Times are of one clock, in seconds.
    """

    __slots__ = ("_began", "_in_flight", "_meter", "_reduced", "_search", "chosen", "history", "limit", "most")

    def __init__(self, start: int = START, most: int = MOST) -> None:
        self.limit = min(start, most)
        self.most = most
        self.history: deque[Step] = deque(maxlen=256)
        """What was tried of late."""
        self.chosen: Step | None = None
        """What was found last, and since when it is that."""
        self._in_flight = 0
        self._began = self._reduced = 0.0
        self._search = self._from(self.limit)
        self._meter: Meter | None = None

    def __repr__(self) -> str:
        return f"AdaptiveLimit({self.limit}, chosen: {self.chosen})"

    def sent(self, now: float) -> None:
        """A request was sent."""
        if self._meter is None:
            self._began = self._reduced = now
            self._meter = self._turn_to(next(self._search), now)
        self._meter.passes(now, self._in_flight)
        self._in_flight += 1

    def ended(self, now: float, seconds: float, ok: bool = True) -> None:
        """It was answered `seconds` after it was sent or, where `ok` is false, given up or lost."""
        meter = self._meter
        assert meter is not None
        meter.passes(now, self._in_flight)
        self._in_flight -= 1
        if ok and (rate := meter.answer(now)):
            self.history.append(Step(now - self._began, meter.trial.limit, rate.value))
            self._meter = self._turn_to(self._search.send(rate), now)

    def busy(self, now: float, seconds: float) -> None:
        """It was refused, for the server has too much to do: fewer at once from now on."""
        self.ended(now, seconds, ok=False)
        if now - seconds >= self._reduced:  # sent after the last reduction
            self._reduced = now
            self._search = self._around(max(1, int(self.limit * BACK)))
            self._meter = self._turn_to(next(self._search), now)

    def _turn_to(self, trial: Trial, now: float) -> Meter:
        self.limit = trial.limit
        if trial.rest and trial.than:
            if self.chosen is None or self.chosen.limit != trial.limit:
                self.chosen = Step(now - self._began, trial.limit, trial.than.value)
            self.chosen = replace(self.chosen, per_second=trial.than.value)
        return Meter(trial, now, self._in_flight)

    def _from(self, start: int) -> _Search:
        """From far away. Fewer first: where the server is slow, that takes less time than more would."""
        rate = yield Trial(start)
        place = yield from self._fewer(_Place(start, rate, rate), COARSE)
        if place.limit == start:
            place = yield from self._more(place, COARSE)
        place = yield from self._finer(place)
        yield from self._around(place.limit, place.rate)

    def _around(self, limit: int, rate: Rate | None = None) -> _Search:
        """Here and not far from here, for ever."""
        while True:
            rate = yield Trial(limit, rate, rest=True)
            place = yield from self._finer(_Place(limit, rate, rate))
            limit, rate = place.limit, place.rate

    def _finer(self, start: _Place) -> _Moves:
        place = yield from self._more(start, FINE)
        return place if place.limit > start.limit else (yield from self._fewer(place, FINE))

    def _more(self, place: _Place, stride: _Stride) -> _Moves:
        while place.limit < self.most:
            more = min(self.most, max(place.limit + 1, round(place.limit * stride.factor)))
            rate = yield Trial(more, place.rate, stride.gain)
            if not stride.worth(rate, place.rate):
                return place.seen(rate)
            place = _Place(more, rate, place.best).seen(rate)
        return place

    def _fewer(self, place: _Place, stride: _Stride) -> _Moves:
        while place.limit > 1:
            fewer = max(1, min(place.limit - 1, round(place.limit / stride.factor)))
            rate = yield Trial(fewer, place.best, 1 / stride.gain)
            if not stride.needless(rate, place.best):
                return place.seen(rate)
            place = _Place(fewer, rate, place.best).seen(rate)
        return place
