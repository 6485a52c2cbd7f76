"""Groomed mass, N-subjettiness, and the score that is made of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from handmade import of_rows

from eventbraid_modules.clustering import momenta
from eventbraid_modules.collisions.generation import Collision
from eventbraid_modules.toptag.jets import find_fat_jets
from eventbraid_modules.toptag.performance import holds_top
from eventbraid_modules.toptag.shape import shape_scores, shapes, soft_drop_mass, subjettiness

Rows = list[tuple[float, float, float]]


def spray(places: list[tuple[float, float, float]], spread: float, count: int = 12) -> Rows:
    """Particles around each place of pt, eta and phi."""
    rng = np.random.default_rng(3)
    return [
        (pt / count, eta + spread * rng.standard_normal(), phi + spread * rng.standard_normal())
        for pt, eta, phi in places
        for _ in range(count)
    ]


PRONGS = [(200.0, 0.0, 0.0), (180.0, 0.5, 0.1), (150.0, 0.1, 0.5)]


def test_a_jet_of_three_prongs_is_better_described_by_three_axes_and_one_of_two_is_not() -> None:
    three, two = (momenta(of_rows(spray(PRONGS[:count], 0.02))) for count in (3, 2))
    ratios = [tau[1] / tau[0] for tau in (subjettiness(three, (2, 3)), subjettiness(two, (2, 3)))]
    assert ratios[0] < 0.3
    assert ratios[1] > 0.6


def test_the_subjettiness_of_particles_around_one_axis_is_their_mean_distance() -> None:
    rows = [(100.0, 0.1, 0.0), (100.0, -0.1, 0.0), (100.0, 0.0, 0.2), (100.0, 0.0, -0.2)]
    (tau,) = subjettiness(momenta(of_rows(rows)), (1,), radius=0.8)
    assert tau == pytest.approx((0.1 + 0.1 + 0.2 + 0.2) / 4 / 0.8, rel=0.02)


def test_the_subjettiness_does_not_depend_on_where_the_seam_of_phi_is() -> None:
    there, over = ([(pt, eta, phi + turn) for pt, eta, phi in spray(PRONGS, 0.03)] for turn in (0.0, np.pi - 0.1))
    assert subjettiness(momenta(of_rows(over)), (1, 2, 3)) == pytest.approx(
        subjettiness(momenta(of_rows(there)), (1, 2, 3)), rel=1e-3
    )


@given(
    st.lists(
        st.tuples(st.floats(1, 500), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)), min_size=1, max_size=12, unique=True
    )
)
def test_no_particle_is_far_from_an_axis_of_its_own(rows: Rows) -> None:
    found = momenta(of_rows(rows))
    tau = subjettiness(found, (1, len(rows), len(rows) + 3))
    assert tau[1:].tolist() == [0, 0]
    assert 0 <= tau[0] < 2


def test_the_groomed_mass_is_that_without_soft_particles_at_wide_angles() -> None:
    hard = spray(PRONGS, 0.01)
    soft = [(3.0, 0.7, -0.6), (2.0, -0.7, 0.6)]
    clean, dirty = (momenta(of_rows(rows)) for rows in (hard, hard + soft))
    total = dirty.sum(axis=0)
    assert soft_drop_mass(dirty) == pytest.approx(soft_drop_mass(clean), rel=1e-6)
    assert np.sqrt(total[3] ** 2 - (total[:3] ** 2).sum()) > 1.03 * soft_drop_mass(clean)
    assert soft_drop_mass(momenta(of_rows(hard[:1]))) == pytest.approx(0, abs=0.1)


@given(st.floats(0, 500), st.floats(0, 500), st.floats(0, 3), st.floats(0, 3))
def test_the_score_falls_with_the_ratio_and_is_higher_within_the_window(
    mass: float, other: float, ratio: float, more: float
) -> None:
    first, second = shape_scores(np.array([mass, other]), np.array([ratio, ratio + more]), 105.0, 210.0)
    assert 0 <= second <= 1
    inside = [105 <= each <= 210 for each in (mass, other)]
    if inside[0] == inside[1]:
        assert first >= second
    assert (first >= 0.5) if inside[0] else (first <= 0.5)


def test_the_groomed_mass_of_top_quarks_jets_is_theirs(collisions: list[Collision]) -> None:
    jets = [find_fat_jets(event.particles) for event in collisions]
    top = np.concatenate([holds_top(each, event.tops) for each, event in zip(jets, collisions, strict=True)])
    mass, ratio = (np.concatenate(columns) for columns in zip(*map(shapes, jets), strict=True))
    assert np.median(mass[top]) == pytest.approx(172, abs=12)
    assert np.median(mass[~top]) < 70
    assert np.median(ratio[top]) < np.median(ratio[~top]) - 0.05
