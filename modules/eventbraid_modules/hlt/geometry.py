"""The hadron calorimeter: 40 cells in eta, 80 in phi and 5 in depth, 16,000 channels.

CMS has about as many (Krupa et al. 2021, arXiv:2007.10359, section 4.1); ours are in a regular grid.
Channel `c` is at `(eta cell, phi cell, depth) = unravel_index(c, SHAPE)`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHANNELS",
    "DEPTH",
    "ETA",
    "ETA_MAX",
    "GAIN",
    "IETA",
    "IPHI",
    "PHI",
    "SHAPE",
    "TOWERS",
    "TOWER_ETA",
    "TOWER_PHI",
    "cells",
]

SHAPE: Final = (40, 80, 5)
"""Cells in eta, phi and depth."""
CHANNELS: Final = 16_000
"""Channels in all."""
TOWERS: Final = 3_200
"""Towers: the channels of one cell in eta and phi, which share their place and differ in depth."""
ETA_MAX: Final = 3.0
"""The edge in |eta|."""
SEED: Final = 2007_10359
"""What the gains are drawn from: the detector is the same in every job."""

_eta_cell, _phi_cell, _depth_cell = np.unravel_index(np.arange(CHANNELS), SHAPE)


def _fixed(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.flags.writeable = False
    return array


IETA: Final = _fixed(np.where(_eta_cell < 20, _eta_cell - 20, _eta_cell - 19).astype(np.float32))
"""Index in eta of each channel: -20 to -1 and 1 to 20, as in CMS there is no 0."""
IPHI: Final = _fixed((_phi_cell + 1).astype(np.float32))
"""Index in phi of each channel, 1 to 80."""
DEPTH: Final = _fixed((_depth_cell + 1).astype(np.float32))
"""Index in depth of each channel, 1 (inner) to 5 (outer)."""
ETA: Final = _fixed(((_eta_cell + 0.5) * (2 * ETA_MAX / SHAPE[0]) - ETA_MAX).astype(np.float32))
"""Pseudorapidity of the middle of each channel."""
PHI: Final = _fixed(((_phi_cell + 0.5) * (2 * np.pi / SHAPE[1]) - np.pi).astype(np.float32))
"""Azimuth of the middle of each channel, radians, from -pi to pi."""
GAIN: Final = _fixed(np.random.default_rng(SEED).uniform(0.12, 0.24, CHANNELS).astype(np.float32))
"""Gain of each channel, GeV for a fC."""
TOWER_ETA: Final = _fixed(ETA[:: SHAPE[2]].copy())
"""Pseudorapidity of the middle of each tower."""
TOWER_PHI: Final = _fixed(PHI[:: SHAPE[2]].copy())
"""Azimuth of the middle of each tower, radians."""


def cells(eta: NDArray[np.float32], phi: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The cells in eta and phi that directions fall in; an eta cell outside 0 to 39 is outside the detector."""
    eta_cell = np.floor((eta + ETA_MAX) * (SHAPE[0] / (2 * ETA_MAX))).astype(np.intp)
    phi_cell = np.floor((phi + np.pi) * (SHAPE[1] / (2 * np.pi))).astype(np.intp) % SHAPE[1]
    return eta_cell, phi_cell
