"""Which tracks are which particles: the double majority.

A track is of a particle that made more than half of its hits, where it also has more than half of the particle's
(Ju et al. 2021, arXiv:2103.06995, section 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.tracks.finding.detector import ETA_MAX, FIELD, RADII
from eventbraid_modules.tracks.finding.doublets import helix
from eventbraid_modules.tracks.hits import Hits, HitTruth

__all__ = ["HITS_MIN", "PT_MIN", "Match", "match", "momenta"]

HITS_MIN: Final = 5
"""Hits of a particle that is to be found."""
PT_MIN: Final = 0.5
"""Its transverse momentum, GeV."""


@dataclass(frozen=True, slots=True)
class Match:
    """What the tracks of an event are, against its particles."""

    pt: NDArray[np.float32]
    """Of each particle with enough hits within |eta| < 2, also below `PT_MIN`, GeV."""
    eta: NDArray[np.float32]
    """Of each of those."""
    found: NDArray[np.int64]
    """How many tracks are of each of those."""
    fake: NDArray[np.bool_]
    """For each track whether it is of no particle, whichever that is."""
    duplicate: NDArray[np.bool_]
    """For each track whether one before it is of the same particle."""


def match(label: NDArray[np.int64], truth: HitTruth) -> Match:
    """Compare the tracks, a label for each hit from 0 on and -1 for none, with the particles."""
    size = len(truth.pt)
    made = np.bincount(truth.particle[truth.particle >= 0], minlength=size)
    tracks = int(label.max(initial=-1)) + 1
    lengths = np.bincount(label[label >= 0], minlength=tracks)
    both = (label >= 0) & (truth.particle >= 0)
    pairs, shared = np.unique(np.stack([label[both], truth.particle[both]]), axis=1, return_counts=True)
    matched = (2 * shared > lengths[pairs[0]]) & (2 * shared > made[pairs[1]])
    found = np.bincount(pairs[1][matched], minlength=size)
    wanted = (made >= HITS_MIN) & (np.abs(truth.eta) < ETA_MAX)
    of, particle = pairs[0][matched], pairs[1][matched]
    fake, duplicate = np.ones(tracks, np.bool_), np.ones(tracks, np.bool_)
    fake[of] = False
    duplicate[of[np.unique(particle, return_index=True)[1]]] = False
    return Match(truth.pt[wanted], truth.eta[wanted], found[wanted], fake, duplicate & ~fake)


def momenta(label: NDArray[np.int64], hits: Hits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transverse momentum, GeV, and eta of each track: of the helix through the beam line, its first and last hit."""
    order = np.lexsort((hits.layer, label))
    order = order[label[order] >= 0]
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    first, last = order[starts], order[np.append(starts[1:], len(order))[: len(starts)] - 1]
    x, y, z = hits.position.astype(np.float64).T
    phi = np.arctan2(y, x)
    radii = RADII[hits.layer[first]], RADII[hits.layer[last]]
    curvature, slope, _ = helix((phi[first], phi[last]), (z[first], z[last]), radii)
    return 0.003 * FIELD / np.maximum(np.abs(curvature), 1e-9), np.arcsinh(slope)
