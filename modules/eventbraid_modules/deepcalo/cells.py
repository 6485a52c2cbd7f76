"""What the calorimeter reads out around each electron: a stated, parametrised simulation.

An electron radiates one photon in the tracker (Bethe and Heitler's distribution, the material of the tracker), which
the magnetic field takes apart from it. Both shower; what they leave before the calorimeter and beyond it is lost, a
presampler sees a little of the first. The response changes across a middle cell; sampling fluctuations, noise, and
soft photons of other collisions follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid.errors import DataError
from eventbraid_modules.deepcalo.electrons import Electrons
from eventbraid_modules.deepcalo.geometry import (
    ENERGY_MAX,
    ETA_MAX,
    LAYERS,
    PATCH,
    PHI_PIXELS,
    PIXEL_ETA,
    PIXEL_PHI,
    RADIUS,
)
from eventbraid_modules.deepcalo.shower import depth_profile, inside, shares

__all__ = ["Cells", "ShowerSimulator", "depths", "simulate"]

Array = NDArray[np.float32]
SAMPLING: Final = (0.03, 0.01, 0.01, 0.01)
"""Square of the sampling term of each layer, GeV: 10 %/sqrt(E/GeV) and, in the presampler, 17 %."""
CONSTANT: Final = 0.004
"""Spread of the whole response from one electron to the next."""
CORE: Final = (6.0, 6.0, 11.0, 20.0)
"""Radius of a shower's core in each layer, mm."""
TAIL: Final = (40.0, 40.0, 45.0, 70.0)
"""Radius of its tail, mm."""
IN_CORE: Final = (0.85, 0.06)
"""Share of the energy in the core, and its spread from shower to shower."""
ACROSS_ETA: Final = 0.03
"""How much less a middle cell responds at its edges in eta than in its middle."""
ACROSS_PHI: Final = 0.01
"""Amplitude of the response across a middle cell in phi, of two waves a cell."""
FIELD: Final = 2.0
"""Magnetic field in the tracker, T."""
TRACKER: Final = 1100.0
"""Its outer radius, mm."""
PILEUP_PHOTONS: Final = 0.06
"""Soft photons in a patch for each collision in the same bunch crossing."""
PILEUP_GEV: Final = 0.6
"""Their mean transverse energy, GeV."""
PILEUP_DEPTH: Final = (0.05, 0.35, 0.6, 0.0)
"""Their shares in the layers."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Energies of the cells around n electrons, GeV, a patch of 112 x 20 pixels for each, as each layer divides it."""

    layers: tuple[Array, ...]
    """Presampler (n, 14, 5), strips (n, 112, 5), middle (n, 14, 20), back (n, 7, 20): eta, then phi."""
    corner: NDArray[np.int64]
    """First pixel of each patch in eta and in phi, (n, 2)."""

    def __len__(self) -> int:
        return len(self.corner)


def tracker_material(eta: Array) -> Array:
    """Radiation lengths of the tracker: 0.4 at eta = 0, 1.3 at 1.4."""
    return (0.4 + 0.46 * eta**2).astype(np.float32)


def depths(eta: Array) -> Array:
    """Depths (n, 6) at which an electron enters and leaves each layer, in radiation lengths.

    Presampler from, to and strips from, to middle, to back, out: cryostat and coil before, cables after the presampler.
    """
    path = np.cosh(eta)
    cryostat = 1.3 * path + 0.6 * np.exp(-(((np.abs(eta) - 1.0) / 0.2) ** 2))
    steps = [cryostat, np.full_like(path, 0.2), 0.6 * path]
    steps += [np.full_like(path, thickness) for thickness in (4.5, 16.5, 3.0)]
    return np.cumsum(np.stack(steps, axis=1), axis=1).astype(np.float32)


def simulate(electrons: Electrons, rng: np.random.Generator, pileup: float) -> Cells:
    """The cells around each electron; raises `DataError` for one that is no electron of the barrel."""
    _check(electrons)
    count = len(electrons)
    place = np.stack([electrons.eta / PIXEL_ETA, electrons.phi / PIXEL_PHI], axis=1)
    corner = np.floor(place / (16, 4)).astype(np.int64) * (16, 4) - (48, 8)
    place = (place - corner).astype(np.float32)
    photon, apart = _radiation(electrons, rng)
    response = (1 + CONSTANT * rng.standard_normal(count, np.float32)) * electrons.energy
    first = (9 / 7 * rng.standard_exponential(count, np.float32)).astype(np.float32)  # until the photon converts
    parts = [
        _deposits(response * (1 - photon), electrons.eta, place, rng, np.zeros(count, np.float32)),
        _deposits(response * photon, electrons.eta, place + apart, rng, first),
    ]
    noisy: list[Array] = []
    soft = _soft(electrons.eta, rng, pileup)
    for layer, square, more, one, other in zip(LAYERS, SAMPLING, soft, *parts, strict=True):
        mean = np.maximum(one + other, 0) / np.float32(square)  # far away rounding may leave less than nothing
        energy = rng.standard_gamma(mean, dtype=np.float32) * np.float32(square)
        noisy.append(energy + more + np.float32(layer.noise) * rng.standard_normal(energy.shape, np.float32))
    corner[:, 1] %= PHI_PIXELS
    return Cells(tuple(noisy), corner)


def _check(electrons: Electrons) -> None:
    good = (electrons.energy > 0) & (electrons.energy < ENERGY_MAX)
    good &= (np.abs(electrons.eta) <= ETA_MAX) & np.isfinite(electrons.phi)
    if (bad := np.flatnonzero(~good)).size:  # what is no number is never good
        each = (float(column[bad[0]]) for column in (electrons.energy, electrons.eta, electrons.phi))
        found = ", ".join(f"{name} {value:g}" for name, value in zip(("energy", "eta", "phi"), each, strict=True))
        raise DataError(f"electron {bad[0]} has {found}: no electron within |eta| = {ETA_MAX}")


def _radiation(electrons: Electrons, rng: np.random.Generator) -> tuple[Array, Array]:
    """The photon's share of the energy (n,), and how far it lands from the electron, pixels (n, 2)."""
    count = len(electrons)
    kept = np.exp(-rng.gamma(tracker_material(electrons.eta) / np.log(2)))
    photon = np.minimum(1 - kept, 0.95).astype(np.float32)
    pt = electrons.energy * (1 - photon) / np.cosh(electrons.eta)
    left = rng.uniform(0, TRACKER - 50, count)
    turn = 0.0003 * FIELD * left / pt  # radians, of mm and GeV
    apart = turn * (left / 2 + RADIUS - TRACKER) / RADIUS * rng.choice((-1, 1), count)
    pixels = np.clip(apart / PIXEL_PHI, -4, 4)
    return photon, np.stack([np.zeros(count), pixels], axis=1).astype(np.float32)


def _deposits(energy: Array, eta: Array, place: Array, rng: np.random.Generator, first: Array) -> list[Array]:
    """Mean energy in the cells of each layer, GeV, of showers that begin at depth `first`."""
    edges = np.maximum(depths(eta) - first[:, None], 0).astype(np.float32)
    depth = np.delete(shares(depth_profile(energy, rng), edges), 1, axis=1)  # the cables see nothing
    depth *= (energy * _across(place))[:, None]
    core = np.clip(IN_CORE[0] + IN_CORE[1] * rng.standard_normal(len(energy), np.float32), 0.5, 1)[:, None, None]
    found: list[Array] = []
    for number, layer in enumerate(LAYERS):
        x = (np.arange(0, PATCH[0] + 1, layer.eta, dtype=np.float32) - place[:, :1]) * np.float32(RADIUS * PIXEL_ETA)
        y = (np.arange(0, PATCH[1] + 1, layer.phi, dtype=np.float32) - place[:, 1:]) * np.float32(RADIUS * PIXEL_PHI)
        near, far = (inside(x, y, np.full(len(x), radii[number], np.float32)) for radii in (CORE, TAIL))
        mean = depth[:, number, None, None] * (core * near + (1 - core) * far)
        found.append(mean.astype(np.float32, copy=False))
    return found


def _across(place: Array) -> Array:
    """The response at a place in pixels (n, 2): it follows the middle cell."""
    eta, phi = (place[:, 0] / 8) % 1 - 0.5, place[:, 1] % 1
    response: Array = (1 - ACROSS_ETA * (2 * eta) ** 2 + ACROSS_PHI * np.cos(4 * np.pi * phi)).astype(np.float32)
    return response


def _soft(eta: Array, rng: np.random.Generator, pileup: float) -> list[Array]:
    """What soft photons of other collisions leave in the cells of each layer, GeV."""
    found = [np.zeros((len(eta), *layer.cells), np.float32) for layer in LAYERS]
    owner = np.repeat(np.arange(len(eta)), rng.poisson(PILEUP_PHOTONS * pileup, len(eta)))
    energy = (rng.exponential(PILEUP_GEV, len(owner)) * np.cosh(eta[owner])).astype(np.float32)
    rows, columns = (rng.integers(0, size, len(owner)) for size in PATCH)
    for layer, cells, share in zip(LAYERS, found, PILEUP_DEPTH, strict=True):
        np.add.at(cells, (owner, rows // layer.eta, columns // layer.phi), np.float32(share) * energy)
    return found


class ShowerSimulator(Producer):
    """Simulates what the calorimeter reads out around the electrons of an event."""

    electrons = Input[Electrons]("electrons")
    cells = Output[Cells]()
    pileup = Parameter(35.0, ge=0, le=200, doc="mean number of other collisions in the same bunch crossing")

    def produce(self, event: Event) -> None:
        event[self.cells] = simulate(event[self.electrons], event.random(self), self.pileup)
