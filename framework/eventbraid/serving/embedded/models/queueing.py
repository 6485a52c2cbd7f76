"""The requests that wait for a model: in the order of their priorities, no more and no longer than it allows. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from eventbraid.serving.backends.base import Request
from eventbraid.serving.backends.failure import ModelFailure

__all__ = ["Queue", "QueuePolicy", "expired", "full"]


def full() -> ModelFailure:
    """What a request is told that finds too many waiting."""
    return ModelFailure("Exceeds maximum queue size", "UNAVAILABLE")


def expired() -> ModelFailure:
    """What one is told that has waited too long."""
    return ModelFailure("Request timeout expired", "UNAVAILABLE")


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """How many requests of a priority may wait, and for how long."""

    most: int = 0
    """0: as many as come."""
    timeout: float = 0.0
    """Seconds; 0: as long as it takes."""
    override: bool = False
    """A request may set a shorter timeout of its own."""
    delay: bool = False
    """What has waited too long comes after all others, and is not refused."""

    @classmethod
    def of(cls, said: Any) -> QueuePolicy:
        """That of a ModelQueuePolicy."""
        timeout = said.default_timeout_microseconds * 1e-6
        delays = said.timeout_action == type(said).DELAY
        return cls(said.max_queue_size, timeout, said.allow_timeout_override, delays)

    def until(self, request: Request) -> float:
        """When the request has waited too long; 0: never."""
        timeout = self.timeout
        if self.override and request.timeout and (not timeout or request.timeout < timeout):
            timeout = request.timeout
        return request.since + timeout if timeout else 0.0


@dataclass(slots=True)
class _Level:
    policy: QueuePolicy
    waiting: deque[Request] = field(default_factory=deque)
    late: deque[Request] = field(default_factory=deque)
    """Those that have waited too long, where that is no reason to refuse them."""


class Queue:
    """Requests by priority, 1 the highest; within one, the oldest first."""

    def __init__(self, levels: Mapping[int, QueuePolicy] | None = None, default: int = 1) -> None:
        self._levels = {level: _Level(policy) for level, policy in sorted((levels or {1: QueuePolicy()}).items())}
        self._lanes = [lane for each in self._levels.values() for lane in (each.waiting, each.late)]
        self._default = default

    @classmethod
    def of(cls, config: Any) -> Queue:
        """As a ModelConfig wants it."""
        if not config.HasField("dynamic_batching"):
            return cls()
        said = config.dynamic_batching
        general, special = QueuePolicy.of(said.default_queue_policy), said.priority_queue_policy
        levels = range(1, max(said.priority_levels, 1) + 1)
        policies = {each: QueuePolicy.of(special[each]) if each in special else general for each in levels}
        return cls(policies, said.default_priority_level or 1)

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def __bool__(self) -> bool:
        return any(self._lanes)

    def __iter__(self) -> Iterator[Request]:
        return chain.from_iterable(self._lanes)

    def add(self, request: Request) -> None:
        """Let it wait; raises `ModelFailure` where too many do."""
        level = self._level(request)
        if 0 < level.policy.most <= len(level.waiting) + len(level.late):
            raise full()
        level.waiting.append(request)

    def remove(self, request: Request) -> None:
        """It waits no more; the first of its priority is found at once."""
        level = self._level(request)
        if level.waiting and level.waiting[0] is request:
            level.waiting.popleft()
            return
        for lane in (level.waiting, level.late):
            if request in lane:
                lane.remove(request)

    def expire(self, now: float) -> list[Request]:
        """Those that have waited too long and are to be refused; they are out. Others move behind."""
        refused: list[Request] = []
        for level in self._levels.values():
            over = [each for each in level.waiting if 0 < level.policy.until(each) <= now]
            for each in over:
                level.waiting.remove(each)
            (level.late if level.policy.delay else refused).extend(over)
        return refused

    def next_expiry(self) -> float:
        """When the next one will have waited too long; 0: never."""
        times = (level.policy.until(each) for level in self._levels.values() for each in level.waiting)
        return min((each for each in times if each), default=0.0)

    @property
    def expires(self) -> bool:
        """True where a request may wait too long."""
        return any(each.policy.timeout or each.policy.override for each in self._levels.values())

    def _level(self, request: Request) -> _Level:
        return self._levels.get(request.priority) or self._levels.get(self._default) or self._levels[1]
