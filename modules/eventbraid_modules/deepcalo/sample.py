"""Images with their true energies, for training, calibration and comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.deepcalo.cells import simulate
from eventbraid_modules.deepcalo.electrons import draw_electrons
from eventbraid_modules.deepcalo.geometry import IMAGE
from eventbraid_modules.deepcalo.images import make_images

__all__ = ["Sample", "draw_sample"]

Array = NDArray[np.float32]
BLOCK: Final = 500
ENERGIES: Final = (10.0, 250.0)
PILEUP: Final = 35.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Electrons of the spectrum that `ElectronSource` has by default."""

    pixels: Array
    """GeV, shape (n, 56, 11, 4)."""
    eta: Array
    """Of the middle of each image."""
    energy: Array
    """True energies, GeV."""


def draw_sample(electrons: int, seed: int) -> Sample:
    """So many electrons, in blocks of 500 of which each depends on the seed and its number alone."""
    pixels = np.empty((electrons, *IMAGE), np.float32)
    eta, energy = np.empty((2, electrons), np.float32)
    for first in range(0, electrons, BLOCK):
        kept = slice(first, min(first + BLOCK, electrons))
        rng = np.random.default_rng([seed, first // BLOCK])
        block = draw_electrons(rng, BLOCK, *ENERGIES)
        images = make_images(simulate(block, rng, PILEUP))
        count = kept.stop - first
        pixels[kept], eta[kept], energy[kept] = images.pixels[:count], images.eta[:count], block.energy[:count]
    return Sample(pixels, eta, energy)
