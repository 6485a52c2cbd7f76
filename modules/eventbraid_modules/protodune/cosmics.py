"""Cosmic rays in a module: muons that cross or stop, their delta rays and Michel electrons, showers, radioactivity.

A stated simulation in the place of Corsika and Geant4: muons go through points, and showers begin at points, that are
drawn evenly in the volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.protodune.cascade import Deposits, cascade, isotropic
from eventbraid_modules.protodune.detector import TICK_US, Detector
from eventbraid_modules.protodune.ionisation import Ionisation, Kind, free_electrons, join
from eventbraid_modules.protodune.muons import muons

__all__ = ["MICHEL_MEV", "Rates", "cosmics", "michel_energies"]

Array = NDArray[np.float64]
FURTHER_CM: Final = 500.0
"""A crossing muon would have gone so much further at least; the mean is twice that."""
MICHEL_MEV: Final = 52.8
"""The most energy of a Michel electron, MeV."""
DECAYS: Final = 0.6
"""Share of stopped muons that decay to a Michel electron and are not captured."""
SHOWER_MEV: Final = (50.0, 1000.0)
"""Energies of showers, MeV: evenly in the logarithm."""
ARGON39_HZ_CM3: Final = 1.4e-3
"""Decays of 39Ar in a second and cm^3 of liquid argon."""
ARGON39_MEV: Final = 0.565
"""End of its beta spectrum, MeV."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Mean numbers in a module and an event, Poisson distributed."""

    crossing: float = 0.6
    """Muons that leave again."""
    stopping: float = 0.6
    """Muons that stop."""
    showers: float = 0.4
    """Electrons with a shower."""


def cosmics(detector: Detector, module: int, rates: Rates, rng: np.random.Generator) -> Ionisation:
    """The charge of one module and event."""
    box = detector.box
    crossing, stopping, showers = (int(rng.poisson(rate)) for rate in (rates.crossing, rates.stopping, rates.showers))
    decays = rng.poisson(ARGON39_HZ_CM3 * float(box.prod()) * detector.ticks * TICK_US * 1e-6)
    further = np.concatenate([FURTHER_CM + rng.exponential(FURTHER_CM, crossing), np.zeros(stopping)])
    ends = rng.random((crossing + stopping, 3)) * box
    tracks, deltas = muons(ends, further, box, rng)
    parent = (rng.random(stopping) < DECAYS).nonzero()[0] + crossing
    michels = cascade(ends[parent], isotropic(len(parent), rng), michel_energies(len(parent), rng), rng)
    low, high = np.log(SHOWER_MEV)
    energies = np.exp(rng.uniform(low, high, showers))
    showering = cascade(rng.random((showers, 3)) * box, isotropic(showers, rng), energies, rng)
    electrons = ARGON39_MEV * rng.beta(2, 2, decays)
    blips = Deposits(rng.random((decays, 3)) * box, electrons, np.ones(decays, np.bool_))
    parts = [tracks, *(_charge(each, Kind.SHOWER) for each in (deltas, showering, blips)), _michel_charge(michels)]
    whole = join(parts)
    inside = ((whole.position >= 0) & (whole.position < box)).all(axis=1)
    numbers = np.full(int(inside.sum()), module, np.int16)
    return Ionisation(whole.position[inside], whole.electrons[inside], whole.kind[inside], numbers)


def michel_energies(count: int, rng: np.random.Generator) -> Array:
    """Energies of Michel electrons, MeV: the density is x^2 (3 - 2x), x = E / 52.8 MeV (Michel 1950)."""
    grid = np.linspace(0, 1, 513)
    return MICHEL_MEV * np.interp(rng.random(count), 2 * grid**3 - grid**4, grid)


def _charge(deposits: Deposits, kind: Kind) -> Ionisation:
    count = len(deposits.energy)
    electrons = free_electrons(deposits.energy)
    return Ionisation(deposits.position, electrons, np.full(count, kind, np.int8), np.zeros(count, np.int16))


def _michel_charge(deposits: Deposits) -> Ionisation:
    """A Michel electron's own charge has its name; what it radiates is a shower like any other."""
    whole = _charge(deposits, Kind.MICHEL)
    kind = np.where(deposits.primary, whole.kind, Kind.SHOWER).astype(np.int8)
    return Ionisation(whole.position, whole.electrons, kind, whole.module)
