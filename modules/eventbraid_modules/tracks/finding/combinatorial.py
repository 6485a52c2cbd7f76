"""Tracks by rule: seeds of three hits are followed outwards to the nearest hits, and the best candidates are kept.

A combinatorial track finder without branches and without a Kalman filter: the helix is that through the beam line and
the last two hits, and the window around where it meets the next layer is that of resolution and scattering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .components import HITS_MIN, numbered
from .detector import ACROSS_CM, ALONG_CM, HALF_LENGTHS, LAYERS, RADII, checked
from .doublets import Cylinders, Doublets, arc, bend, doublets, helix, within
from .features import mismatches, spreads

__all__ = ["CombinatorialFinder", "follow", "resolve", "seeds"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

FIRST_LAYERS: Final = 4
"""A seed begins on one of these."""
SEED_CHI: Final = 16.0
"""Largest chi squared between both doublets of a seed."""
HIT_CHI: Final = 25.0
"""Largest chi squared of a hit that is followed to."""
HOLES: Final = 2
"""Layers without a hit, of those that a candidate goes through after its seed."""


@dataclass(slots=True)
class Candidates:
    """Possible tracks: arrays of one length."""

    hits: Index
    """On each layer the hit, -1 for none, shape (candidates, 10)."""
    chi: Array
    """The sum over its hits."""


class CombinatorialFinder:
    """Finds tracks by rule."""

    def __call__(self, position: NDArray[np.float32]) -> NDArray[np.int64]:
        """See `TrackFinder`."""
        hits = Cylinders.of(position, checked(position))
        return numbered(resolve(follow(seeds(doublets(hits), hits), hits), len(position)))


def seeds(pairs: Doublets, hits: Cylinders) -> Candidates:
    """Candidates of three hits: two doublets that continue each other, near the beam line."""
    pairs = pairs[hits.layer[pairs.inner] < FIRST_LAYERS + 2]
    _, _, chi, (one, other) = mismatches(pairs, hits.layer)
    kept = (chi < SEED_CHI) & (hits.layer[pairs.inner[one]] < FIRST_LAYERS)
    one, other = one[kept], other[kept]
    chosen = np.full((len(one), LAYERS), -1)
    rows = np.arange(len(one))
    for hit in (pairs.inner[one], pairs.outer[one], pairs.outer[other]):
        chosen[rows, hits.layer[hit]] = hit
    return Candidates(chosen, chi[kept])


def follow(found: Candidates, hits: Cylinders) -> Candidates:
    """The same, each followed outwards to the end."""
    holes = np.zeros(len(found.chi), np.intp)
    for target in range(2, LAYERS):
        rows = np.flatnonzero((found.hits[:, target:] < 0).all(axis=1) & (holes <= HOLES))
        # the last two hits before the target
        filled = np.where(found.hits[rows, :target] >= 0, np.arange(target), -1)
        last = filled.max(axis=1)
        before = np.where(filled == last[:, None], -1, filled).max(axis=1)
        ends = found.hits[rows, before], found.hits[rows, last]
        curvature, slope, place = helix(
            (hits.phi[ends[0]], hits.phi[ends[1]]), (hits.z[ends[0]], hits.z[ends[1]]), (RADII[before], RADII[last])
        )
        way = arc(RADII[target], curvature) - arc(RADII[last], curvature)
        phi = hits.phi[ends[1]] + bend(RADII[target], curvature) - bend(RADII[last], curvature)
        z = hits.z[ends[1]] + slope * way
        spread = spreads(Doublets(*ends, curvature, slope, place), hits.layer)
        across = np.hypot(spread[0] * RADII[target] * (RADII[target] - RADII[last]) / 2**0.5, ACROSS_CM[target])
        along = np.hypot(spread[1] * way * 2**0.5, ALONG_CM[target])
        inside = (np.abs(curvature) * RADII[target] < 2) & (np.abs(z) < HALF_LENGTHS[target])
        window = np.where(inside, HIT_CHI**0.5 * across / RADII[target], -1)
        phi = np.mod(phi + np.pi, 2 * np.pi) - np.pi
        asked, hit = within(hits.rows[target], phi - window, phi + window)
        turn = np.mod(hits.phi[hit] - phi[asked] + np.pi, 2 * np.pi) - np.pi
        chi = (turn * RADII[target] / across[asked]) ** 2 + ((hits.z[hit] - z[asked]) / along[asked]) ** 2
        order = np.lexsort((hit, chi, asked))
        order = order[chi[order] < HIT_CHI]
        reached, first = np.unique(asked[order], return_index=True)
        nearest = order[first]
        found.hits[rows[reached], target] = hit[nearest]
        found.chi[rows[reached]] += chi[nearest]
        missed = inside.copy()
        missed[reached] = False
        holes[rows[missed]] += 1
    return found


def resolve(found: Candidates, hits: int) -> Index:
    """A label for each of so many hits, -1 for those of no track: no hit is on two, and the longest come first.

    Of equal length the one with the smaller chi squared does. In each round the candidates that are the best of all
    their hits become tracks, and the others lose those hits.
    """
    label = np.full(hits + 1, -1)  # the last is what a layer without a hit names
    chosen = found.hits.copy()
    number = np.arange(len(chosen))
    while len(chosen):
        counts = (chosen >= 0).sum(axis=1)
        kept = counts >= HITS_MIN
        chosen, number, counts = chosen[kept], number[kept], counts[kept]
        rank = np.empty(len(chosen), np.intp)
        rank[np.lexsort((number, found.chi[number], -counts))] = np.arange(len(chosen))
        best = np.full(hits + 1, len(chosen))
        np.minimum.at(best, chosen, np.broadcast_to(rank[:, None], chosen.shape))
        won = ((best[chosen] == rank[:, None]) | (chosen < 0)).all(axis=1)
        rows, layers = np.nonzero(chosen[won] >= 0)
        label[chosen[won][rows, layers]] = number[won][rows]
        chosen, number = chosen[~won], number[~won]
        chosen = np.where((chosen >= 0) & (label[chosen] < 0), chosen, -1)
    return label[:-1]
