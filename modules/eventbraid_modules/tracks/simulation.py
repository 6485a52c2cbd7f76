"""From particles to hits: helices in a solenoid, multiple scattering, resolution, inefficiency, noise.

A stated, simple simulation, in the place of a full one: charged particles come from the beam line, go outwards from
layer to layer on arcs, and are deflected at each. They lose no energy, do not decay or interact, and are lost where
they turn back before the next layer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.collisions.particles import Particles
from eventbraid_modules.tracks.finding.detector import (
    ACROSS_CM,
    ALONG_CM,
    ETA_MAX,
    FIELD,
    HALF_LENGTHS,
    LAYERS,
    MATERIAL,
    RADII,
)
from eventbraid_modules.tracks.hits import Hits, HitTruth

__all__ = ["EFFICIENCY", "NOISE", "PT_MIN", "Tracker", "crossings", "simulate", "vertices"]

Array = NDArray[np.float64]

PT_MIN: Final = 0.3
"""Particles below are not simulated, GeV."""
BEAM_SPOT_CM: Final = 4.5
"""Spread of the collisions along the beam line."""
BEAM_WIDTH_CM: Final = 0.001
"""Spread of the collisions across it."""
PION_GEV: Final = 0.13957
"""Every particle scatters as a pion does."""
NOISE: Final = 20.0
"""Mean number of hits from no particle on a layer."""
EFFICIENCY: Final = 0.98
"""Share of crossings that leave a hit."""


def vertices(particles: int, collisions: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """The place along the beam line that each particle comes from, cm, and a turn in phi, radians: shape (particles,).

    The source keeps the particles of a collision together and does not say where the next one's begin: the ends of
    `collisions` runs of neighbours are drawn. A run is turned as a whole, since the source may take a soft collision
    twice for an event, and the same particles in the same direction would be no test of track finding.
    """
    ends = np.sort(rng.integers(0, particles + 1, collisions - 1))
    run = np.searchsorted(ends, np.arange(particles), side="right")
    return rng.normal(0, BEAM_SPOT_CM, collisions)[run], rng.uniform(-np.pi, np.pi, collisions)[run]


def crossings(
    charge: Array, pt: Array, eta: Array, phi: Array, z: Array, rng: np.random.Generator, material: float = MATERIAL
) -> Array:
    """Where particles cross the layers: x, y, z, cm, shape (particles, 10, 3), NaN where they do not.

    Curvatures are positive for a turn to the left. A deflection at a layer is that of Rossi and Highland (PDG review,
    34.3), independent in both planes. A particle that leaves a layer's length is lost to those outside it.
    """
    momentum, slope = pt * np.cosh(eta), np.sinh(eta)
    curvature = -charge * 0.003 * FIELD / pt
    beta = momentum / np.hypot(momentum, PION_GEV)
    x, y = rng.normal(0, BEAM_WIDTH_CM, (2, len(pt)))
    heading, height = phi.astype(np.float64), z.copy()
    found = np.full((len(pt), LAYERS, 3), np.nan)
    for layer, radius in enumerate(RADII):
        centre_x, centre_y = x - np.sin(heading) / curvature, y + np.cos(heading) / curvature
        distance, angle = np.hypot(centre_x, centre_y), np.arctan2(centre_y, centre_x)
        sine = curvature * (radius**2 - distance**2 - curvature**-2) / (2 * distance)
        with np.errstate(invalid="ignore"):  # those that turn back before the layer become NaN, and stay so
            after = angle + np.arcsin(sine)
        turn = np.mod(after - heading + np.pi, 2 * np.pi) - np.pi
        height = height + turn / curvature * slope
        height = np.where(np.abs(height) < HALF_LENGTHS[layer], height, np.nan)
        heading = heading + turn + 0 * height
        x, y = centre_x + np.sin(heading) / curvature, centre_y - np.cos(heading) / curvature
        found[:, layer] = np.stack([x, y, height], axis=1)
        depth = material * np.hypot(1, slope)
        spread = 0.0136 / (beta * momentum) * np.sqrt(depth) * (1 + 0.038 * np.log(depth)) if material else 0 * beta
        kicks = rng.standard_normal((2, len(pt)))
        heading = heading + spread * kicks[0] * np.hypot(1, slope)
        slope = np.tan(np.arctan(slope) + spread * kicks[1])
        curvature = -charge * 0.003 * FIELD * np.hypot(1, slope) / momentum
    return found


def simulate(
    particles: Particles,
    collisions: int,
    rng: np.random.Generator,
    noise: float = NOISE,
    efficiency: float = EFFICIENCY,
) -> tuple[Hits, HitTruth]:
    """The hits of an event of so many collisions, in no order, and what made them."""
    place, turn = vertices(len(particles), collisions, rng)
    kept = (particles.charge != 0) & (particles.pt > PT_MIN) & (np.abs(particles.eta) < ETA_MAX + 0.5)
    charge, pt, eta, phi = (
        each[kept].astype(np.float64) for each in (particles.charge, particles.pt, particles.eta, particles.phi)
    )
    crossed = crossings(charge, pt, eta, phi + turn[kept], place[kept], rng)
    seen = np.isfinite(crossed[:, :, 2]) & (rng.random(crossed.shape[:2]) < efficiency)
    maker, hit_layer = np.nonzero(seen)
    x, y, z = crossed[seen].T
    angle = np.arctan2(y, x) + ACROSS_CM[hit_layer] / RADII[hit_layer] * rng.standard_normal(len(x))
    z = z + ALONG_CM[hit_layer] * rng.standard_normal(len(z))
    false_layer = np.repeat(np.arange(LAYERS), rng.poisson(noise, LAYERS))
    angle = np.concatenate([angle, rng.uniform(-np.pi, np.pi, len(false_layer))])
    z = np.concatenate([z, HALF_LENGTHS[false_layer] * rng.uniform(-1, 1, len(false_layer))])
    layer = np.concatenate([hit_layer, false_layer])
    particle = np.concatenate([maker, np.full(len(false_layer), -1)])
    order = rng.permutation(len(layer))
    layer, particle, angle, z = layer[order], particle[order], angle[order], z[order]
    position = np.stack([RADII[layer] * np.cos(angle), RADII[layer] * np.sin(angle), z], axis=1)
    truth = HitTruth(particle.astype(np.int32), *(each.astype(np.float32) for each in (pt, eta, place[kept])))
    return Hits(position.astype(np.float32), layer.astype(np.int8)), truth


class Tracker(Producer):
    """Simulates the hits that the charged particles of an event leave in the tracker."""

    particles = Input[Particles]("particles")
    hits = Output[Hits]()
    truth = Output[HitTruth]()
    collisions = Parameter(21, ge=1, doc="in an event, each with a place of its own along the beam line")
    noise = Parameter(NOISE, ge=0, doc="mean number of noise hits on a layer")
    efficiency = Parameter(EFFICIENCY, gt=0, le=1, doc="share of crossings that leave a hit")

    def produce(self, event: Event) -> None:
        rng = event.random(self)
        hits, truth = simulate(event[self.particles], self.collisions, rng, self.noise, self.efficiency)
        event[self.hits], event[self.truth] = hits, truth
