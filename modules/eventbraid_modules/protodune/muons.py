"""Cosmic muons in a module: tracks with their energy loss and scattering, and the delta rays beside.

A track is followed from the point that it is drawn through, back to where it came from and on until it has stopped or
left, all muons of an event at once. What it loses follows from how far it has to go: 8 R^-0.37 MeV/cm with R cm to go.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.protodune.cascade import (
    RADIATION_LENGTH,
    SCATTERING_MEV,
    Deposits,
    cascade,
    isotropic,
    tilt,
)
from eventbraid_modules.protodune.ionisation import MIP_MEV_CM, Ionisation, Kind, free_electrons

__all__ = ["muons"]

Array = NDArray[np.float64]
STEP: Final = 0.3
"""cm."""
BRAGG: Final = (8.0, 0.37)
"""A muon with R cm to go loses 8 R^-0.37 MeV/cm, or 2.1 where that is more."""
DELTA_MEV: Final = (3.0, 100.0)
"""Energies of the delta rays that are followed, MeV: 1/T^2 between."""
DELTA_PER_CM: Final = 0.097 / DELTA_MEV[0]
"""How many of them a muon makes in a cm."""


def muons(ends: Array, further: Array, box: Array, rng: np.random.Generator) -> tuple[Ionisation, Deposits]:
    """Tracks and delta rays of muons through `ends`, cm, shape (muons, 3), that could go `further` cm from there.

    Where `further` is 0 the muon stops. Directions are those of cosmic rays at sea level, cos^2 of the zenith.
    Only points in the box, from 0 to `box` cm, are made.
    """
    count = len(ends)
    way = np.arange(STEP / 2, float(np.linalg.norm(box)), STEP)
    along = np.concatenate([way, -way])
    zenith, azimuth = np.arccos(rng.power(3, count)), rng.uniform(0, 2 * np.pi, count)
    up = np.stack([np.sin(zenith) * np.cos(azimuth), np.cos(zenith), np.sin(zenith) * np.sin(azimuth)], axis=1)
    remaining = along + further[:, None]
    place = ends[:, None] + along[:, None] * up[:, None] + _scattering(remaining, up, rng)
    there = (remaining > 0) & ((place >= 0) & (place < box)).all(axis=2)
    points, left = place[there], np.maximum(remaining[there], STEP / 2)
    density = np.maximum(BRAGG[0] * left ** -BRAGG[1], MIP_MEV_CM)
    moyal = -np.log(np.maximum(rng.standard_normal(len(points)) ** 2, 1e-6)) / 1.27  # of mean 1, with Landau's tail
    charge = free_electrons(density * STEP * (0.9 + 0.1 * moyal), density)
    tracks = Ionisation(points, charge, np.full(len(points), Kind.TRACK, np.int8), np.zeros(len(points), np.int16))
    down = -np.broadcast_to(up[:, None], place.shape)[there]
    return tracks, _delta_rays(points, down, rng)


def _scattering(remaining: Array, up: Array, rng: np.random.Generator) -> Array:
    """How far multiple scattering takes muons from their straight lines, cm, shape (muons, steps, 3)."""
    kinetic = BRAGG[0] / (1 - BRAGG[1]) * np.maximum(remaining, STEP) ** (1 - BRAGG[1])
    angle = SCATTERING_MEV / (1.7 * kinetic) * np.sqrt(STEP / RADIATION_LENGTH)
    first, second = (_offset(angle * rng.standard_normal(angle.shape)) for _ in range(2))
    side = np.cross(up, isotropic(len(up), rng))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return first[..., None] * side[:, None] + second[..., None] * np.cross(up, side)[:, None]


def _offset(turned: Array) -> Array:
    """The distance that angles add up to, on both ways from the point where there is none."""
    halves = np.split(turned, 2, axis=1)
    return np.concatenate([np.cumsum(np.cumsum(half, axis=1), axis=1) * STEP for half in halves], axis=1)


def _delta_rays(points: Array, down: Array, rng: np.random.Generator) -> Deposits:
    """Electrons that muons knock out, with all that follows; the angle is that of an electron at rest."""
    chosen = rng.random(len(points)) < DELTA_PER_CM * STEP
    low, high = DELTA_MEV
    energies = 1 / (1 / low - rng.random(int(chosen.sum())) * (1 / low - 1 / high))
    directions = tilt(down[chosen], np.arctan(np.sqrt(1.022 / energies)), rng)
    return cascade(points[chosen], directions, energies, rng)
