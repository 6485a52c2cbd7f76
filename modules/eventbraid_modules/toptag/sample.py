"""Fat jets with what they are of, for training and for measuring, without a job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.collisions.generation import Mixture, cached_block
from eventbraid_modules.toptag.images import make_images
from eventbraid_modules.toptag.jets import FatJets, find_fat_jets
from eventbraid_modules.toptag.performance import holds_top

__all__ = ["MIXTURE", "Sample", "draw_jets", "draw_sample"]

MIXTURE: Final = Mixture(top_fraction=0.5, pileup=0.0, hard_pt=500.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """Images with their truth."""

    pixels: NDArray[np.float32]
    """Shape (n, 3, size, size)."""
    top: NDArray[np.bool_]
    """Whether each is that of a top quark."""


def draw_jets(events: int, seed: int) -> Iterator[tuple[FatJets, NDArray[np.bool_]]]:
    """The jets of so many events, each with whether it is that of a top quark; nothing of events without jets."""
    blocks = (cached_block(seed, number, MIXTURE) for number in count())
    for particles, tops in islice(chain.from_iterable(blocks), events):
        if len(jets := find_fat_jets(particles)):
            yield jets, holds_top(jets, tops)


def draw_sample(events: int, seed: int, size: int) -> Sample:
    """The images of the jets of so many events; a sample begins with every shorter one of its seed."""
    found = [(make_images(jets, size).pixels, top) for jets, top in draw_jets(events, seed)]
    return Sample(np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found]))
