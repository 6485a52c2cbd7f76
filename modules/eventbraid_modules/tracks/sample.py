"""Simulated events for training and for measuring, without a job."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, islice

import numpy as np

from eventbraid_modules.collisions.generation import Mixture, cached_block
from eventbraid_modules.tracks.hits import Hits, HitTruth
from eventbraid_modules.tracks.simulation import simulate

__all__ = ["sample"]


def sample(pileup: int, events: int, seed: int) -> Iterator[tuple[Hits, HitTruth]]:
    """The hits of so many events of a top pair or a soft collision with others beside, and what made them."""
    rng = np.random.default_rng([seed, pileup])
    blocks = (cached_block(seed, number, Mixture(pileup=pileup)) for number in count())
    for collision in islice(chain.from_iterable(blocks), events):
        yield simulate(collision.particles, 1 + pileup, rng)
