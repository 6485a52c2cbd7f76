"""The simulated tracker: helices, scattering, hits, noise."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import EventID, Job
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.tracks import Hits, HitTruth, Tracker
from eventbraid_modules.tracks.finding.detector import ETA_MAX, HALF_LENGTHS, LAYERS, RADII, checked, layers_of
from eventbraid_modules.tracks.simulation import PT_MIN, crossings, simulate, vertices

sys.path.insert(0, str(Path(__file__).parent))
from gun import NOTHING, gun, pions


def crossed(pt: float, eta: float, phi: float = 0.0, charge: int = 1, material: float = 0.0) -> np.ndarray:
    """Where one particle from the middle crosses the layers, shape (10, 3)."""
    columns = (np.array([each], np.float64) for each in (charge, pt, eta, phi, 0.0))
    return crossings(*columns, np.random.default_rng(1), material)[0]


def test_the_tracker_has_ten_layers_that_are_as_long_as_eta_2_needs() -> None:
    assert LAYERS == len(RADII) == len(HALF_LENGTHS) == 10
    assert (np.diff(RADII) > 0).all()
    assert (np.arcsinh(HALF_LENGTHS / RADII) > ETA_MAX).all()


@given(st.floats(0.35, 100), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1), st.sampled_from([-1, 1]))
def test_without_material_a_particle_goes_along_a_helix_of_its_momentum(
    pt: float, eta: float, phi: float, charge: int
) -> None:
    points = crossed(pt, eta, phi, charge)
    assert np.isfinite(points).all()
    assert np.allclose(np.hypot(points[:, 0], points[:, 1]), RADII, atol=1e-6)
    radius = pt / (0.3 * 2.0) * 100  # cm: p = 0.3 B R
    centre = radius * charge * np.array([np.sin(phi), -np.cos(phi)])
    assert np.allclose(np.hypot(*(points[:, :2] - centre).T), radius, rtol=1e-4, atol=0.01)
    arc = 2 * radius * np.arcsin(RADII / (2 * radius))
    assert np.allclose(points[:, 2], arc * np.sinh(eta), atol=0.02)


def test_positive_particles_turn_to_the_right_in_a_field_along_z() -> None:
    assert crossed(1.0, 0.0, charge=1)[-1, 1] < -10
    assert crossed(1.0, 0.0, charge=-1)[-1, 1] > 10


def test_a_particle_that_turns_back_leaves_no_hit_outside() -> None:
    points = crossed(0.2, 0.0)
    reached = np.isfinite(points[:, 2])
    assert np.array_equal(reached, RADII < 2 * 0.2 / 0.6 * 100)


def test_a_particle_that_leaves_a_layers_length_is_lost() -> None:
    assert not np.isfinite(crossed(5.0, 2.6)[:, 2]).any() or not np.isfinite(crossed(5.0, 2.6)[-1, 2])
    assert np.isfinite(crossed(5.0, 1.9)[:, 2]).all()


@pytest.mark.parametrize(("pt", "eta"), [(0.5, 0.0), (1.0, 0.0), (4.0, 1.5)])
def test_scattering_at_the_first_layer_is_that_of_rossi_and_highland(pt: float, eta: float) -> None:
    many = 4000
    columns = (np.full(many, each, np.float64) for each in (1, pt, eta, 0, 0))
    points = crossings(*columns, np.random.default_rng(1), 0.02)[:, :2]
    angle = np.arctan2(points[..., 1], points[..., 0])
    without = crossed(pt, eta)
    bent = angle[:, 1] - np.arctan2(without[1, 1], without[1, 0])
    momentum, depth = pt * np.cosh(eta), 0.02 * np.cosh(eta)
    beta = momentum / np.hypot(momentum, 0.13957)
    expected = 0.0136 / (beta * momentum) * np.sqrt(depth) * (1 + 0.038 * np.log(depth)) * np.cosh(eta)
    blur = 0.001 / RADII[1]  # of the beam
    assert np.std(bent) == pytest.approx(np.hypot(expected * (RADII[1] - RADII[0]) / RADII[1], blur), rel=0.1)


@given(st.integers(0, 300), st.integers(1, 50), st.integers(0, 2**31))
def test_every_particle_comes_from_one_of_the_collisions(particles: int, collisions: int, seed: int) -> None:
    for each in vertices(particles, collisions, np.random.default_rng(seed)):
        assert each.shape == (particles,)
        assert len(np.unique(each)) <= collisions
        assert np.count_nonzero(np.diff(each)) <= collisions - 1  # neighbours stay together


def test_a_collision_that_is_there_twice_makes_different_tracks() -> None:
    particles = gun(np.random.default_rng(1), 50)
    twice = type(particles)(*(np.tile(getattr(particles, name), 2) for name in particles.__dataclass_fields__))
    hits, truth = simulate(twice, 20, np.random.default_rng(1), noise=0, efficiency=1.0)
    first = hits.position[np.lexsort((hits.layer, truth.particle))].reshape(100, 10, 3)[:, 5, :2]
    assert np.linalg.norm(first[:50] - first[50:], axis=1).min() > 1


def test_hits_are_on_their_layers_and_their_truth_is_theirs() -> None:
    hits, truth = simulate(gun(np.random.default_rng(1), 200), 3, np.random.default_rng(1))
    assert hits.position.dtype == np.float32
    assert hits.position.shape == (len(hits), 3)
    assert np.array_equal(layers_of(hits.position), hits.layer)
    assert (np.abs(hits.position[:, 2]) < HALF_LENGTHS[hits.layer] + 0.5).all()
    assert truth.particle.shape == (len(hits),)
    made = np.bincount(truth.particle[truth.particle >= 0], minlength=200)
    assert made.mean() == pytest.approx(9.8, abs=0.15)  # ten layers, of which 98 % see it
    pairs = np.stack([truth.particle, hits.layer])[:, truth.particle >= 0]
    assert len(np.unique(pairs, axis=1).T) == pairs.shape[1]  # a layer sees a particle once


def test_neutral_soft_and_forward_particles_leave_nothing() -> None:
    particles = pions([5.0, PT_MIN - 0.01, 5.0], [0.0, 0.0, 2.6], [0.0, 1.0, 2.0], [0, 1, 1])
    hits, truth = simulate(particles, 1, np.random.default_rng(1), noise=0)
    assert len(hits) == len(truth.pt) == 0


def test_an_event_without_particles_has_noise_alone() -> None:
    hits, truth = simulate(NOTHING, 1, np.random.default_rng(1))
    assert 120 < len(hits) < 280
    assert (truth.particle == -1).all()


def test_hits_depend_on_the_event_alone() -> None:
    ids = [EventID(1, 1, 7), EventID(1, 1, 8), EventID(1, 1, 7)]
    output = ListOutput(keep=["tracker.hits", "tracker.truth"])
    source = ListSource([{"particles": gun(np.random.default_rng(1), 20)}] * 3, ids)
    Job("t", source=source, modules={"tracker": Tracker()}, outputs=[output], streams=3).run()
    first, second, third = (row.products["tracker.hits"] for row in output.rows)
    assert isinstance(first, Hits)
    assert isinstance(output.rows[0].products["tracker.truth"], HitTruth)
    assert np.array_equal(first.position, third.position)
    assert not np.array_equal(first.position[:50], second.position[:50])


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (np.nan, "hit 3 is not finite"),
        (np.inf, "hit 3 is not finite"),
        (np.float32(3e38), "hit 3 is on no layer"),
        (55.0, "hit 3 is on no layer"),
    ],
)
def test_hits_that_cannot_be_are_named(wrong: float, what: str) -> None:
    position = np.stack([RADII, 0 * RADII, 0 * RADII], axis=1).astype(np.float32)
    assert np.array_equal(checked(position), np.arange(10))
    position[3, 0] = wrong
    with pytest.raises(ValueError, match=what):
        checked(position)


def test_of_many_wrong_hits_the_first_are_named() -> None:
    with pytest.raises(ValueError, match="hits 0, 1, 2, 3, 4 and 15 more are not finite"):
        checked(np.full((20, 3), np.nan, np.float32))


def test_hits_of_another_shape_are_told() -> None:
    with pytest.raises(ValueError, match=r"the shape \[4, 2\] in place of \[-1, 3\]"):
        checked(np.zeros((4, 2), np.float32))
