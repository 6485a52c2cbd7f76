"""The barrel of an electromagnetic calorimeter: four layers of cells, and the image that is cut out around an electron.

The cells are those of ATLAS's (Aad et al. 2019, arXiv:1812.03848, section 2), the image is that of Krupa et al. 2021
(arXiv:2007.10359, section 4.2): 56 x 11 pixels of the finest cells in either direction, 0.175 in eta and 0.270 in phi.
Pixels are counted from eta = 0 and phi = 0; a cell covers a block of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = [
    "ENERGY_MAX",
    "ETA_MAX",
    "IMAGE",
    "LAYERS",
    "PATCH",
    "PHI_PIXELS",
    "PIXEL_ETA",
    "PIXEL_PHI",
    "RADIUS",
    "Layer",
]

PIXEL_ETA: Final = 0.003125
PHI_PIXELS: Final = 256
"""Pixels in the whole azimuth."""
PIXEL_PHI: Final = 2 * np.pi / PHI_PIXELS
RADIUS: Final = 1500.0
"""Of the layers, mm: what turns angles into distances across a shower."""
ETA_MAX: Final = 1.4
"""Electrons beyond are not in the barrel."""
ENERGY_MAX: Final = 14_000.0
"""Of the collisions, GeV: no electron and no cell has as much."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of cells."""

    name: str
    eta: int
    """Pixels of a cell in eta."""
    phi: int
    """Pixels of a cell in phi."""
    noise: float
    """Electronic noise of a cell, GeV."""

    @property
    def cells(self) -> tuple[int, int]:
        """Cells of a patch in eta and in phi."""
        return PATCH[0] // self.eta, PATCH[1] // self.phi


PATCH: Final = (112, 20)
"""Pixels in eta and phi of what is simulated around an electron: whole cells of each layer."""
IMAGE: Final = (56, 11, 4)
"""Pixels in eta and phi of an image, and layers."""
LAYERS: Final = (
    Layer("presampler", 8, 4, 0.030),
    Layer("strips", 1, 4, 0.012),
    Layer("middle", 8, 1, 0.030),
    Layer("back", 16, 1, 0.020),
)
