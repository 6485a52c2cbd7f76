"""What the networks see: for each doublet its helix, its layers, and how well the best neighbour continues it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .detector import ACROSS_CM, ALONG_CM, FIELD, MATERIAL, RADII
from .doublets import CURVATURE_MAX, Cylinders, Doublets

__all__ = ["EDGE_FEATURES", "NODE_FEATURES", "edge_features", "joined", "mismatches", "node_features"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

EDGE_FEATURES: Final = 8
NODE_FEATURES: Final = 2
SCATTERING: Final = 0.0136 * MATERIAL**0.5 / (0.003 * FIELD)
"""Deflection at a layer, for a curvature of 1/cm and at a right angle."""
NOWHERE: Final = 1e4
"""The mismatch of a doublet that nothing continues."""


def spreads(pairs: Doublets, layer: Index) -> tuple[Array, Array]:
    """How far curvature (1/cm) and slope of a doublet may be from its neighbour's: one standard deviation."""
    inner, outer = layer[pairs.inner], layer[pairs.outer]
    step = RADII[outer] - RADII[inner]
    growth = np.hypot(1, pairs.slope)
    deflection = SCATTERING * np.abs(pairs.curvature)
    bent = np.hypot(ACROSS_CM[inner] / RADII[inner], ACROSS_CM[outer] / RADII[outer])
    curvature = np.hypot(2 * bent / step, 2 * deflection * np.sqrt(growth) / RADII[outer])
    slope = np.hypot(np.hypot(ALONG_CM[inner], ALONG_CM[outer]) / step, deflection * growth**1.5)
    return curvature, slope


def joined(pairs: Doublets) -> tuple[Index, Index]:
    """All pairs of doublets of which one ends on the hit where the other begins: their indices, the inner first."""
    order = np.argsort(pairs.inner, kind="stable")
    starts = pairs.inner[order]
    first, last = np.searchsorted(starts, pairs.outer), np.searchsorted(starts, pairs.outer, side="right")
    counts = last - first
    one = np.repeat(np.arange(len(pairs)), counts)
    offsets = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    return one, order[first[one] + offsets]


def mismatches(pairs: Doublets, layer: Index) -> tuple[Array, Array, Array, tuple[Index, Index]]:
    """How well doublets are continued, as chi squared of curvature and slope.

    Of the best neighbour inwards and of the best outwards, shape (doublets,) each; of all joined pairs; and those.
    """
    one, other = joined(pairs)
    curvature, slope = spreads(pairs, layer)
    bent = (pairs.curvature[one] - pairs.curvature[other]) ** 2 / (curvature[one] ** 2 + curvature[other] ** 2)
    tilted = (pairs.slope[one] - pairs.slope[other]) ** 2 / (slope[one] ** 2 + slope[other] ** 2)
    chi = bent + tilted
    inwards, outwards = np.full(len(pairs), NOWHERE), np.full(len(pairs), NOWHERE)
    np.minimum.at(outwards, one, chi)
    np.minimum.at(inwards, other, chi)
    return inwards, outwards, chi, (one, other)


def edge_features(pairs: Doublets, layer: Index) -> NDArray[np.float32]:
    """Shape (doublets, 8), of the order of 1: the helix, both radii, both mismatches, the curvature's size."""
    inwards, outwards, _, _ = mismatches(pairs, layer)
    columns = (
        pairs.curvature / CURVATURE_MAX,
        pairs.slope / 4,
        pairs.place / 18,
        RADII[layer[pairs.inner]] / 100,
        RADII[layer[pairs.outer]] / 100,
        np.log10(inwards + 0.1) / 4,
        np.log10(outwards + 0.1) / 4,
        np.abs(pairs.curvature) / CURVATURE_MAX,
    )
    return np.stack(columns, axis=1).astype(np.float32)


def node_features(hits: Cylinders) -> NDArray[np.float32]:
    """Shape (hits, 2): radius and z in metres."""
    return np.stack([RADII[hits.layer] / 100, hits.z / 100], axis=1).astype(np.float32)
