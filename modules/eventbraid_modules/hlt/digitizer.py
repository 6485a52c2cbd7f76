"""From particles to raw digis: energy deposits, pulses, noise, quantised charge.

A stated, simple simulation, in the place of a full one: hadrons leave their energy with the resolution of a
sampling calorimeter, shared in depth and over neighbouring towers; a channel's energy becomes charge through
its gain, spread over the slices by a pulse of jittering delay, on a pedestal with noise and on the pulses of the
bunch crossings before and after.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.collisions.particles import Particles
from eventbraid_modules.hlt.geometry import CHANNELS, DEPTH, GAIN, IETA, IPHI, SHAPE, cells
from eventbraid_modules.hlt.pulse import IN_TIME, SLICE_NS, SLICES, pulse

__all__ = [
    "CROSSINGS",
    "INPUTS",
    "HcalDigis",
    "HcalDigitizer",
    "TrueEnergies",
    "deposit",
    "digitise",
    "features_of",
    "out_of_time",
]

INPUTS: Final = 15
"""Inputs of FACILE for a channel."""
DEPTH_PROFILE: Final = np.array([0.18, 0.34, 0.26, 0.15, 0.07], np.float32)
"""Mean share of a hadron's energy in each depth."""
LEAK: Final = 0.06
"""Share that goes into each of the four neighbouring towers."""
STOCHASTIC, CONSTANT = 1.0, 0.05
"""Resolution of hadrons: STOCHASTIC / sqrt(E/GeV) and CONSTANT, in quadrature."""
ELECTROMAGNETIC: Final = 0.05
"""Share of a photon's or an electron's energy that reaches the hadron calorimeter."""
MUON_GEV: Final = 2.0
"""What a muon leaves, GeV."""
PEDESTAL_FC: Final = 3.0
"""Mean pedestal in a slice, fC."""
NOISE_FC: Final = 0.9
"""Noise in a slice, fC."""
STEP_FC: Final = 0.35
"""What a count of the digitiser stands for, fC."""
JITTER_NS: Final = 1.5
"""Spread of the pulses' delay, ns."""
CROSSINGS: Final = np.array([-2, -1, 1, 2], np.float32)
"""The bunch crossings beside, 25 ns apart, whose pulses are seen too."""
SOFT_GEV: Final = 3.0
"""Particles below this transverse momentum are those of soft collisions, GeV."""


@dataclass(frozen=True, slots=True)
class HcalDigis:
    """What the calorimeter reads out for an event."""

    charge: NDArray[np.float32]
    """fC, quantised, shape (16000, 8): channels and time slices."""
    features: NDArray[np.float32]
    """The inputs of FACILE, shape (16000, 15); see `features_of`."""


def deposit(particles: Particles, rng: np.random.Generator) -> NDArray[np.float32]:
    """The energy in each channel, GeV, shape (16000,): the truth that a reconstruction is compared with."""
    pdg = np.abs(particles.pdg)
    energy = np.where((pdg == 22) | (pdg == 11), ELECTROMAGNETIC * particles.energy, particles.energy)
    energy = np.where(pdg == 13, np.minimum(MUON_GEV, particles.energy), energy)
    spread = np.hypot(STOCHASTIC / np.sqrt(np.maximum(energy, 0.1)), CONSTANT)
    seen = np.maximum(energy * (1 + spread * rng.standard_normal(len(particles), np.float32)), 0)
    eta_cell, phi_cell = cells(particles.eta, particles.phi)
    depths = rng.dirichlet(8 * DEPTH_PROFILE, len(particles)).astype(np.float32)
    inside = (eta_cell >= 0) & (eta_cell < SHAPE[0])
    rows, columns, shares = eta_cell[inside] + 1, phi_cell[inside], (seen[:, None] * depths)[inside]
    channels = ((rows * SHAPE[1] + columns) * SHAPE[2])[:, None] + np.arange(SHAPE[2])
    flat = np.bincount(channels.ravel(), shares.ravel(), (SHAPE[0] + 2) * SHAPE[1] * SHAPE[2])
    hit = flat.reshape(SHAPE[0] + 2, SHAPE[1], SHAPE[2])  # an edge on both sides for what leaks out
    around = np.roll(hit, 1, 0) + np.roll(hit, -1, 0) + np.roll(hit, 1, 1) + np.roll(hit, -1, 1)
    towers = (1 - 4 * LEAK) * hit + LEAK * around
    return towers[1:-1].reshape(CHANNELS).astype(np.float32)


def out_of_time(particles: Particles, rng: np.random.Generator) -> NDArray[np.float32]:
    """The energy in each channel from each of `CROSSINGS`, GeV, shape (4, 16000).

    Soft collisions look alike: those of another crossing are the soft particles of this one, turned in azimuth by an
    angle that is drawn, and every other crossing mirrored in eta.
    """
    soft = particles.pt < SOFT_GEV
    columns = (getattr(particles, each.name)[soft] for each in fields(particles))
    here = deposit(Particles(*columns), rng).reshape(SHAPE)
    turns = rng.integers(SHAPE[1], size=len(CROSSINGS))
    turned = [np.roll(here[:: (-1) ** number], turn, axis=1) for number, turn in enumerate(turns)]
    return np.stack(turned).reshape(len(CROSSINGS), CHANNELS)


def digitise(
    energy: NDArray[np.float32], rng: np.random.Generator, others: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The quantised charge of each channel, fC, shape (16000, 8), of energies in GeV, shape (16000,).

    `others` are the energies from `CROSSINGS`, GeV, shape (4, 16000); nothing where left out.
    """
    charge = rng.standard_normal((CHANNELS, SLICES), np.float32)
    charge *= NOISE_FC
    charge += PEDESTAL_FC
    hit = np.flatnonzero(energy > 0)
    delays = JITTER_NS * rng.standard_normal(len(hit), np.float32)
    charge[hit] += pulse(delays) * (energy[hit] / GAIN[hit])[:, None]
    if others is not None:
        charge += (others / GAIN).T @ pulse(SLICE_NS * CROSSINGS)
    charge /= STEP_FC
    np.rint(charge, out=charge)
    np.maximum(charge, 0, out=charge)
    charge *= STEP_FC
    return charge


def features_of(charge: NDArray[np.float32]) -> NDArray[np.float32]:
    """FACILE's 15 inputs a channel: raw charge, coordinates and gain (arXiv:2007.10359, section 4.1).

    Columns: the 8 charges less the pedestal; their sum; that over the two slices of the pulse, in fC and, by
    the gain, in GeV; eta index, phi index, depth; gain.
    """
    features = np.empty((len(charge), INPUTS), np.float32)
    np.subtract(charge, PEDESTAL_FC, out=features[:, :SLICES])
    features[:, 8] = features[:, :SLICES].sum(axis=1)
    features[:, 9] = features[:, IN_TIME : IN_TIME + 2].sum(axis=1)
    features[:, 10] = features[:, 9] * GAIN
    features[:, 11], features[:, 12], features[:, 13], features[:, 14] = IETA, IPHI, DEPTH, GAIN
    return features


class HcalDigitizer(Producer):
    """Simulates the calorimeter's response to the particles of a collision."""

    particles = Input[Particles]("particles")
    digis = Output[HcalDigis]()
    seed = Parameter(1, ge=0, doc="of noise and fluctuations; with the event's number they are the same in every mode")

    def produce(self, event: Event) -> None:
        rng = np.random.default_rng([self.seed, *event.id])
        particles = event[self.particles]
        energy = deposit(particles, rng)
        charge = digitise(energy, rng, out_of_time(particles, rng))
        event[self.digis] = HcalDigis(charge, features_of(charge))


class TrueEnergies(Producer):
    """What an `HcalDigitizer` of the same seed found deposited: the truth that energies are compared with."""

    particles = Input[Particles]("particles")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (channels,)
    seed = Parameter(1, ge=0, doc="that of the digitizer")

    def produce(self, event: Event) -> None:
        event[self.energies] = deposit(event[self.particles], np.random.default_rng([self.seed, *event.id]))
