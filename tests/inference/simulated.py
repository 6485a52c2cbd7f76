"""Servers that exist in virtual time alone: instances, batching, a network, and a client with work without end."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Client", "Kind", "Limit", "best", "fixed"]


@dataclass(frozen=True)
class Kind:
    """A server that takes `first` + n `each` seconds for n requests executed together, at most `most` of them."""

    name: str
    first: float
    each: float = 0.0
    most: int = 1
    instances: int = 1
    network: float = 0.0002
    """Seconds there and back together."""
    noise: float = 0.0
    """Of the logarithm of each time."""


class Limit(Protocol):
    """What the client is bound by."""

    @property
    def limit(self) -> int: ...
    def sent(self, now: float) -> None: ...
    def ended(self, now: float, seconds: float, ok: bool = True) -> None: ...
    def busy(self, now: float, seconds: float) -> None: ...


class Fixed:
    """Always the same number of requests in flight."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def sent(self, now: float) -> None: ...
    def ended(self, now: float, seconds: float, ok: bool = True) -> None: ...
    def busy(self, now: float, seconds: float) -> None: ...


class Client:
    """Keeps as many requests in flight as the limit says and `demand` allows, and notes when each was answered.

    `kind` may be changed as it runs: a server that becomes faster. Where `queue` requests wait, more are refused
    as too many. `slow` gives the seconds by which the answer with a number is late.
    """

    def __init__(
        self,
        kind: Kind,
        limit: Limit,
        *,
        seed: int = 1,
        demand: Callable[[float], float] = lambda now: math.inf,
        queue: float = math.inf,
        slow: Callable[[int], float] = lambda number: 0.0,
    ) -> None:
        self.kind, self.limit, self.demand, self.queue, self.slow = kind, limit, demand, queue, slow
        self.now = 0.0
        self.answered: list[float] = []
        self.limits: list[tuple[float, int]] = []
        self.refused = 0
        self.in_flight = 0
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._waiting: deque[float] = deque()
        self._running = 0

    def run(self, until: float) -> None:
        """Let the time pass until then."""
        self._send()
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heapq.heappop(self._events)
            act()
            self._send()
        self.now = until

    def throughput(self, start: float, end: float) -> float:
        """Requests answered a second between two times."""
        return sum(start < each <= end for each in self.answered) / (end - start)

    def _at(self, seconds: float, act: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, act))

    def _noisy(self, seconds: float) -> float:
        noise = self.kind.noise
        return seconds * self._random.lognormvariate(-noise * noise / 2, noise) if noise else seconds

    def _send(self) -> None:
        if not self.limits or self.limits[-1][1] != self.limit.limit:
            self.limits.append((self.now, self.limit.limit))
        while self.in_flight < min(self.limit.limit, self.demand(self.now)):
            self.in_flight += 1
            self.limit.sent(self.now)
            self._at(self._noisy(self.kind.network / 2), lambda sent=self.now: self._arrive(sent))

    def _arrive(self, sent: float) -> None:
        if len(self._waiting) >= self.queue:
            self._at(self.kind.network / 2, lambda: self._refused(sent))
            return
        self._waiting.append(sent)
        self._execute()

    def _execute(self) -> None:
        while self._waiting and self._running < self.kind.instances:
            batch = [self._waiting.popleft() for _ in range(min(self.kind.most, len(self._waiting)))]
            self._running += 1
            self._at(self._noisy(self.kind.first + self.kind.each * len(batch)), lambda batch=batch: self._done(batch))

    def _done(self, batch: list[float]) -> None:
        self._running -= 1
        for sent in batch:
            late = self.slow(len(self.answered))
            self._at(self._noisy(self.kind.network / 2) + late, lambda sent=sent: self._answer(sent))
        self._execute()

    def _answer(self, sent: float) -> None:
        self.in_flight -= 1
        self.answered.append(self.now)
        self.limit.ended(self.now, self.now - sent)

    def _refused(self, sent: float) -> None:
        self.in_flight -= 1
        self.refused += 1
        self.limit.busy(self.now, self.now - sent)


def fixed(kind: Kind, limit: int, answers: int = 3000) -> float:
    """The throughput with always so many in flight, requests a second."""
    client = Client(kind, Fixed(limit))
    latency = kind.network + kind.first + kind.each * kind.most
    service = (kind.first + kind.each * kind.most) / (kind.most * kind.instances)
    settle = 4 * max(latency, limit * service)
    client.run(settle)
    end = settle + max(40 * latency, (answers + 10 * limit) * service)
    client.run(end)
    return client.throughput(settle, end)


def best(kind: Kind, most: int = 1024) -> tuple[int, float]:
    """The fewest requests in flight with 95 % of the greatest throughput, and that throughput, found by trying."""
    rates = {2**n: fixed(kind, 2**n) for n in range(most.bit_length())}
    top = max(rates.values())
    enough = next(limit for limit, rate in rates.items() if rate >= 0.95 * top)
    least = range(enough // 2 + 1, enough + 1)
    return least[bisect_left(least, True, key=lambda limit: fixed(kind, limit) >= 0.95 * top)], top
