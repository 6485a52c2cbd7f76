"""What differs from client to client and from event to event, drawn before anything happens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from eventbraid.studies.simulation.study import Client, Study

__all__ = ["Beginning", "beginnings", "factors"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """When a client begins, and the seed of its events."""

    at: float
    seed: int


def beginnings(study: Study) -> list[Beginning]:
    """One for each client."""
    draw = random.Random(study.seed)
    return [Beginning(draw.uniform(0, study.client.stagger), draw.getrandbits(64)) for _ in range(study.clients)]


def factors(client: Client, seed: int) -> Iterator[float]:
    """By how much the CPU times of one event after the other are longer than said; 1 on the average."""
    draw, spread = random.Random(seed), client.spread
    while True:
        yield draw.lognormvariate(-spread * spread / 2, spread) if spread else 1.0
