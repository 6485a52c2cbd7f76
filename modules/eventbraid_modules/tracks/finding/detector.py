"""The tracker: ten cylinders in a solenoid, and what is wrong with hits that are not on them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACROSS_CM",
    "ALONG_CM",
    "ETA_MAX",
    "FIELD",
    "HALF_LENGTHS",
    "LAYERS",
    "MATERIAL",
    "RADII",
    "checked",
    "layers_of",
]

RADII: Final = np.array([3.2, 7.0, 12.0, 18.0, 26.0, 36.0, 50.0, 66.0, 82.0, 100.0])
"""Radius of each layer, cm, shape (10,)."""
LAYERS: Final = len(RADII)
ETA_MAX: Final = 2.0
"""Each layer is as long as this |eta| from the middle needs, and `SPARE_CM` longer."""
SPARE_CM: Final = 15.0
HALF_LENGTHS: Final = RADII * np.sinh(ETA_MAX) + SPARE_CM
"""Half of each layer's length, cm, shape (10,)."""
FIELD: Final = 2.0
"""Along z, tesla."""
MATERIAL: Final = 0.02
"""Thickness of a layer in radiation lengths, for a particle that goes through at a right angle in z."""
ACROSS_CM: Final = np.array([0.001] * 4 + [0.004] * 6)
"""Resolution around the beam, of four layers of pixels and six of strips, shape (10,)."""
ALONG_CM: Final = np.array([0.003] * 4 + [0.05] * 6)
"""Resolution along z, shape (10,)."""
TOLERANCE_CM: Final = 0.5
"""How far from its layer's radius a hit may be."""
for _each in (RADII, HALF_LENGTHS, ACROSS_CM, ALONG_CM):
    _each.flags.writeable = False
SHOWN: Final = 5


def layers_of(position: NDArray[np.float32]) -> NDArray[np.intp]:
    """The layer of each hit, 0 to 9, -1 for one that is on none; `position` is in cm, shape (hits, 3)."""
    radius = np.hypot(position[:, 0].astype(np.float64), position[:, 1])
    nearest = np.searchsorted((RADII[1:] + RADII[:-1]) / 2, radius)
    return np.where(np.abs(radius - RADII[nearest]) < TOLERANCE_CM, nearest, -1)


def checked(position: NDArray[np.float32]) -> NDArray[np.intp]:
    """The layer of each hit; raises `ValueError` that names the hits that are not finite or on no layer."""
    if position.ndim != 2 or position.shape[1] != 3:
        raise ValueError(f"hits have the shape {list(position.shape)} in place of [-1, 3]: x, y, z in cm")
    if len(wrong := np.flatnonzero(~np.isfinite(position).all(axis=1))):
        raise ValueError(f"{_named(wrong)} not finite")
    layer = layers_of(position)
    if len(wrong := np.flatnonzero(layer < 0)):
        raise ValueError(f"{_named(wrong)} on no layer of the tracker")
    return layer


def _named(hits: NDArray[np.intp]) -> str:
    shown = ", ".join(map(str, hits[:SHOWN])) + (f" and {len(hits) - SHOWN} more" if len(hits) > SHOWN else "")
    return f"hit {shown} is" if len(hits) == 1 else f"hits {shown} are"
