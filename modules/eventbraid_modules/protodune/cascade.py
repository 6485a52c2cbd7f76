"""Electrons and photons in liquid argon: a branching simulation, all particles of a call at once.

Electrons go on in steps of 3 mm: they lose 2.1 MeV/cm, scatter, and radiate photons by the thin-target spectrum
(4/3 - 4/3 y + y^2)/y a radiation length, y = k/E. Photons fly an exponential length and make a pair or a Compton
electron. That has a shower's branches, gaps and energy, not its fine structure; there is no back-scattering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.protodune.ionisation import MIP_MEV_CM

__all__ = ["Deposits", "Rays", "cascade", "isotropic", "tilt"]

Array = NDArray[np.float64]
STEP: Final = 0.3
"""Of an electron, cm."""
RADIATION_LENGTH: Final = 14.0
"""Of liquid argon, cm."""
PHOTON_LENGTH: Final = 18.0
"""Mean way of a photon to its interaction, cm."""
PAIR_MEV: Final = 15.0
"""Photons of that energy make pairs as often as Compton electrons."""
SOFTEST: Final = 1.0
"""Electrons stop and photons are lost below this, MeV."""
SCATTERING_MEV: Final = 13.6
"""Of the angle of multiple scattering."""


@dataclass(frozen=True, slots=True)
class Rays:
    """Electrons or photons: arrays of one length."""

    position: Array
    """cm, shape (rays, 3)."""
    direction: Array
    """Unit vectors, shape (rays, 3)."""
    energy: Array
    """MeV."""
    primary: NDArray[np.bool_]
    """Whether it was there from the beginning."""

    def __len__(self) -> int:
        return len(self.energy)

    def of(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Rays:
        """Those alone."""
        return Rays(self.position[kept], self.direction[kept], self.energy[kept], self.primary[kept])

    def __add__(self, other: Rays) -> Rays:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return Rays(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True)
class Deposits:
    """Energy that electrons left: arrays of one length."""

    position: Array
    """cm, shape (points, 3)."""
    energy: Array
    """MeV."""
    primary: NDArray[np.bool_]
    """Whether an electron of the call left it, and not what one radiated."""


def isotropic(count: int, rng: np.random.Generator) -> Array:
    """Directions, shape (count, 3)."""
    vectors = rng.standard_normal((count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def tilt(direction: Array, angle: Array, rng: np.random.Generator) -> Array:
    """The directions, shape (n, 3), turned by small angles, radians, shape (n,), to random sides."""
    side = np.cross(direction, isotropic(len(direction), rng))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    return direction * np.cos(angle)[:, None] + side * np.sin(angle)[:, None]


def cascade(position: Array, direction: Array, energy: Array, rng: np.random.Generator) -> Deposits:
    """What electrons, of positions in cm and energies in MeV, and all that they radiate leave."""
    active = Rays(position, direction, energy, np.ones(len(energy), np.bool_))
    left: list[Deposits] = []
    while len(active):
        loss = np.minimum(active.energy, MIP_MEV_CM * STEP)
        left.append(Deposits(active.position + 0.5 * STEP * active.direction, loss, active.primary))
        photons, radiated = _radiate(active, rng)
        active = _step(active, loss + radiated, rng) + _convert(photons, rng)
        active = active.of(active.energy > SOFTEST)
    columns = ("position", "energy", "primary")
    if not left:
        return Deposits(np.empty((0, 3)), np.empty(0), np.empty(0, np.bool_))
    return Deposits(*(np.concatenate([getattr(part, name) for part in left]) for name in columns))


def _step(electrons: Rays, lost: Array, rng: np.random.Generator) -> Rays:
    angle = SCATTERING_MEV / electrons.energy * np.sqrt(STEP / RADIATION_LENGTH)
    direction = tilt(electrons.direction, np.minimum(angle * rng.rayleigh(1.0, len(angle)), 1.5), rng)
    position = electrons.position + STEP * electrons.direction
    return Rays(position, direction, electrons.energy - lost, electrons.primary)


def _radiate(electrons: Rays, rng: np.random.Generator) -> tuple[Rays, Array]:
    """The photons of a step, at most one an electron, and the energy that each electron gave to one."""
    span = np.log(np.maximum(electrons.energy / SOFTEST, 1))
    photon = SOFTEST * np.exp(span * rng.random(len(span)))
    share = photon / electrons.energy
    likely = 4 / 3 * span * STEP / RADIATION_LENGTH * (1 - share + 0.75 * share**2)
    emits = (rng.random(len(span)) < likely) & (share < 1)
    chosen = electrons.of(emits)
    photons = Rays(chosen.position, chosen.direction, photon[emits], np.zeros(len(chosen), np.bool_))
    return photons, np.where(emits, photon, 0)


def _convert(photons: Rays, rng: np.random.Generator) -> Rays:
    """The electrons that photons make; what a Compton electron does not get flies on."""
    made = photons.of(np.zeros(len(photons), np.bool_))
    while len(photons):
        count = len(photons)
        place = photons.position + rng.exponential(PHOTON_LENGTH, count)[:, None] * photons.direction
        pairs = rng.random(count) < photons.energy / (photons.energy + PAIR_MEV)
        first = photons.energy * rng.random(count)
        angle = np.minimum(0.511 / photons.energy + np.where(pairs, 0, np.sqrt(1.022 / np.maximum(first, 0.1))), 1.5)
        never = np.zeros(count, np.bool_)
        direction = tilt(photons.direction, angle, rng)
        made += Rays(place, direction, first, never)
        rest = Rays(place, tilt(photons.direction, angle, rng), photons.energy - first, never)
        made += rest.of(pairs)
        photons = rest.of(~pairs & (rest.energy > SOFTEST))
    return made
