"""Dynamic batching: which of the requests that wait are executed together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from eventbraid.kserve.rows import alike
from eventbraid.serving.backends.base import Request

__all__ = ["Batching", "take"]


@dataclass(frozen=True, slots=True)
class Batching:
    """How a model batches: at most `most` rows at once; the first request waits up to `delay` seconds for others,
    or until a preferred number of rows is there. With `most` 0 every request is executed alone."""

    most: int
    preferred: tuple[int, ...] = ()
    delay: float = 0.0

    @classmethod
    def of(cls, config: Any) -> Batching:
        """That of a ModelConfig."""
        if not config.max_batch_size or not config.HasField("dynamic_batching"):
            return cls(0)
        said = config.dynamic_batching
        delay = said.max_queue_delay_microseconds * 1e-6
        return cls(config.max_batch_size, tuple(said.preferred_batch_size), delay)


def take(waiting: Iterable[Request], batching: Batching, now: float) -> list[Request]:
    """Those of the requests, in their order, that are to be executed now together; none to wait for more."""
    if not batching.most:
        return list(islice(waiting, 1))
    found: list[Request] = []
    total = best = 0
    for request in waiting:
        if found and (total + request.rows > batching.most or not alike(found[0].inputs, request.inputs)):
            return found[: best or None]  # it cannot grow: no reason to wait
        found.append(request)
        total += request.rows
        if total in batching.preferred:
            best = len(found)
        if total >= batching.most:
            return found
    if best:
        return found[:best]
    since = min([each.since for each in found], default=now)
    return found if now >= since + batching.delay else []
