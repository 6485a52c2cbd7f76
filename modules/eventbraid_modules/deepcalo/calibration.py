"""The rule: the sum of the cells in a window, with weights of the layers in bins of eta.

The window, 5 x 9 middle cells, has the best resolution over all energies of six (3 x 5, 3 x 7, 3 x 11, 5 x 7, 5 x 9,
7 x 11). The weights were fitted by `python -m eventbraid_modules.deepcalo.fit_sums`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "COEFFICIENTS", "bins", "calibrated", "layer_sums"]

Array = NDArray[np.float32]
WINDOW: Final = (slice(8, 48), slice(1, 10))
"""Pixels of an image in eta and in phi that are summed."""
BINS: Final = 7
"""In |eta|, each 0.2 wide."""
COEFFICIENTS: Final = np.array(
    [
        [0.1890, -0.1849, 1.0563, 1.0277, 1.7287],
        [0.2116, -0.3797, 1.0522, 1.0323, 1.5701],
        [0.1975, -0.1984, 1.0651, 1.0293, 1.6008],
        [0.3259, 0.3450, 1.0910, 1.0199, 1.8366],
        [0.4781, 0.8896, 1.1529, 1.0023, 1.9888],
        [0.6118, 1.4217, 1.1870, 0.9931, 2.0952],
        [0.6883, 1.2685, 1.2233, 0.9756, 2.5873],
    ]
)
"""Of each bin: an offset in GeV, and the weights of presampler, strips, middle and back."""


def layer_sums(pixels: Array) -> Array:
    """Energy in the window of each layer, GeV, shape (n, 4), of images (n, 56, 11, 4)."""
    sums: Array = pixels[:, WINDOW[0], WINDOW[1]].sum(axis=(1, 2))
    return sums


def bins(eta: Array) -> NDArray[np.intp]:
    """The bin of each pseudorapidity."""
    return np.minimum(np.abs(eta) / 0.2, BINS - 1).astype(np.intp)


def calibrated(sums: Array, eta: Array, coefficients: NDArray[np.float64] = COEFFICIENTS) -> Array:
    """Energies, GeV, shape (n,), of sums (n, 4) at eta (n,)."""
    chosen = coefficients[bins(eta)]
    energies: Array = (chosen[:, 0] + (sums * chosen[:, 1:]).sum(axis=1)).astype(np.float32)
    return energies
