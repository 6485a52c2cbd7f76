"""Pairs of hits on neighbouring layers that one particle may have made: the edges of the graph, and seeds.

Two hits and the beam line fix a helix: its curvature, slope and place along the beam. Pairs are kept where those are
of a particle above `PT_MIN` from the collisions. It is the map of modules of Ju et al. 2021 (arXiv:2103.06995,
section 3) with one window for all modules of two layers, since these are whole cylinders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .detector import ETA_MAX, FIELD, LAYERS, RADII

__all__ = ["CURVATURE_MAX", "Cylinders", "Doublets", "doublets", "helix", "within"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

PT_MIN: Final = 0.3
"""GeV; what is softer turns back before the last layer."""
CURVATURE_MAX: Final = 0.003 * FIELD / PT_MIN
"""1/cm."""
PLACE_MAX: Final = 18.0 + 0.15 * RADII
"""Along the beam line, cm, by the layer of the inner hit: scattering blurs it with the lever arm, shape (10,)."""
SLOPE_MAX: Final = float(np.sinh(ETA_MAX + 0.3))
STEPS: Final = (1, 2)
"""How many layers on a pair's outer hit may be: a hit that is missing is stepped over."""


@dataclass(frozen=True, slots=True)
class Cylinders:
    """Hits in cylinder coordinates, and where each layer's are in the order of phi."""

    layer: Index
    phi: Array
    """Radians."""
    z: Array
    """cm."""
    rows: tuple[tuple[Array, Index], ...]
    """For each layer phi from -3 pi to 3 pi, rising, and the hit; each hit is there three times."""

    @classmethod
    def of(cls, position: NDArray[np.float32], layer: Index) -> Cylinders:
        """The same hits; `position` is x, y, z in cm, shape (hits, 3), and each hit is on its layer's radius."""
        x, y, z = position.astype(np.float64).T
        phi = np.arctan2(y, x)
        rows: list[tuple[Array, Index]] = []
        for each in range(LAYERS):
            here = np.flatnonzero(layer == each)
            here = here[np.argsort(phi[here], kind="stable")]
            turns = np.concatenate([phi[here] + turn for turn in (-2 * np.pi, 0, 2 * np.pi)])
            rows.append((turns, np.tile(here, 3)))
        return cls(layer, phi, z, tuple(rows))


@dataclass(frozen=True, slots=True)
class Doublets:
    """Pairs of hits, in order of the inner layer; arrays of one length, with the helix through both."""

    inner: Index
    outer: Index
    curvature: Array
    """1/cm, positive for a turn to the left."""
    slope: Array
    """Length along z for length across it."""
    place: Array
    """Where the helix leaves the beam line, cm."""

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, kept: NDArray[np.bool_] | Index) -> Doublets:
        """Those of the mask or index."""
        columns = (self.inner, self.outer, self.curvature, self.slope, self.place)
        return Doublets(*(each[kept] for each in columns))  # type: ignore[arg-type]


def within(row: tuple[Array, Index], low: Array, high: Array) -> tuple[Index, Index]:
    """All hits of a layer between two angles, for each pair of them: the pair's index, the hit's."""
    first, last = np.searchsorted(row[0], low), np.searchsorted(row[0], high)
    counts = np.maximum(last - first, 0)
    asked = np.repeat(np.arange(len(low)), counts)
    offsets = np.arange(len(asked)) - np.repeat(np.cumsum(counts) - counts, counts)
    return asked, row[1][first[asked] + offsets]


def helix(phi: tuple[Array, Array], z: tuple[Array, Array], radius: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """Curvature, slope and place of the helix through the beam line and two points, inner and outer."""
    turn = np.mod(phi[1] - phi[0] + np.pi, 2 * np.pi) - np.pi
    chord = np.sqrt((radius[1] - radius[0]) ** 2 + 4 * radius[0] * radius[1] * np.sin(turn / 2) ** 2)
    curvature = 2 * np.sin(turn) / chord
    near, far = arc(radius[0], curvature), arc(radius[1], curvature)
    slope = (z[1] - z[0]) / (far - near)
    return curvature, slope, z[0] - slope * near


def arc(radius: Array | float, curvature: Array) -> Array:
    """The length of the arc from the beam line to a radius, cm."""
    half = np.clip(np.abs(curvature) / 2, 1e-9, None)
    length: Array = np.arcsin(np.clip(half * radius, 0, 1)) / half
    return length


def bend(radius: Array | float, curvature: Array) -> Array:
    """The angle at the beam line between the start of the arc and a radius on it."""
    angle: Array = np.arcsin(np.clip(curvature / 2 * radius, -1, 1))
    return angle


def doublets(hits: Cylinders) -> Doublets:
    """All pairs of hits within the windows."""
    found: list[Doublets] = []
    for inner in range(LAYERS - 1):
        for outer in (inner + step for step in STEPS if inner + step < LAYERS):
            here = hits.rows[inner][1][: len(hits.rows[inner][1]) // 3]
            most = float(bend(RADII[outer], np.array(CURVATURE_MAX)) - bend(RADII[inner], np.array(CURVATURE_MAX)))
            asked, other = within(hits.rows[outer], hits.phi[here] - most, hits.phi[here] + most)
            one = here[asked]
            # a window in z alone, before the helix is computed: the straight line is near enough for that
            lever = RADII[inner] / (RADII[outer] - RADII[inner])
            near = np.abs(hits.z[one] - lever * (hits.z[other] - hits.z[one])) < 1.3 * PLACE_MAX[inner]
            one, other = one[near], other[near]
            radii = np.full(len(one), RADII[inner]), np.full(len(one), RADII[outer])
            parameters = helix((hits.phi[one], hits.phi[other]), (hits.z[one], hits.z[other]), radii)
            pairs = Doublets(one, other, *parameters)
            curvature, slope, place = (np.abs(each) for each in parameters)
            found.append(pairs[(curvature < CURVATURE_MAX) & (slope < SLOPE_MAX) & (place < PLACE_MAX[inner])])
    columns = ("inner", "outer", "curvature", "slope", "place")
    return Doublets(*(np.concatenate([getattr(each, name) for each in found]) for name in columns))
