"""Particles for tests, without Pythia: charged pions from the beam line, as many as an event of a few collisions has."""

from __future__ import annotations

import numpy as np

from eventbraid_modules.collisions import Particles


def gun(rng: np.random.Generator, count: int, low: float = 0.5, high: float = 20.0) -> Particles:
    """So many pions, evenly in eta to 1.9, phi and the logarithm of pt."""
    pt = np.exp(rng.uniform(np.log(low), np.log(high), count))
    return pions(pt, rng.uniform(-1.9, 1.9, count), rng.uniform(-np.pi, np.pi, count), rng.choice([-1, 1], count))


def pions(pt: object, eta: object, phi: object, charge: object) -> Particles:
    """Charged pions."""
    columns = [np.asarray(each, np.float32) for each in (pt, eta, phi)]
    charges = np.asarray(charge)
    energy = np.hypot(columns[0] * np.cosh(columns[1]), 0.13957).astype(np.float32)
    return Particles(*columns, energy, (211 * charges).astype(np.int32), charges.astype(np.int8))


NOTHING = pions([], [], [], [])
