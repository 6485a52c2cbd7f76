"""Images of jets."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from handmade import of_rows

from eventbraid_modules.collisions import Particles
from eventbraid_modules.collisions.generation import Collision
from eventbraid_modules.toptag.images import make_images, standard_view
from eventbraid_modules.toptag.jets import FatJets, find_fat_jets


def jet(rows: list[tuple[float, float, float]], charge: int = 1) -> FatJets:
    found = find_fat_jets(of_rows(rows, charge))
    assert len(found) == 1
    return found


def placed(rows: list[tuple[float, float, float]], turn: float, eta: float, phi: float, flip: bool) -> FatJets:
    """A jet of particles around its middle, turned there, moved, and mirrored."""
    pt, x, y = np.array(rows).T
    x = -x if flip else x
    x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    return jet(list(zip(pt, eta + x, np.angle(np.exp(1j * (phi + y))), strict=True)))


THREE = [(400.0, 0.0, 0.02), (250.0, 0.31, -0.05), (90.0, -0.22, 0.17)]


@settings(max_examples=60)
@given(st.floats(0, 6.3), st.floats(-1.5, 1.5), st.floats(-3.14, 3.14), st.booleans())
def test_where_a_jet_is_and_how_it_is_turned_or_mirrored_makes_no_difference(
    turn: float, eta: float, phi: float, flip: bool
) -> None:
    moved, there = (standard_view(placed(THREE, *how)) for how in ((turn, eta, phi, flip), (0.0, 0.0, 0.0, False)))
    order = [np.lexsort(view.round(2).T) for view in (moved, there)]
    assert moved[order[0]] == pytest.approx(there[order[1]], abs=2e-3)


def test_a_view_is_from_the_centre_along_the_principal_axis(collisions: list[Collision]) -> None:
    for event in collisions[:20]:
        jets = find_fat_jets(event.particles)
        view, pt = standard_view(jets), jets.constituents.pt.astype(float)
        for number in range(len(jets)):
            own = jets.owner == number
            weight = pt[own] / pt[own].sum()
            along, across = view[own].T
            assert weight @ along == pytest.approx(0, abs=1e-9)
            assert weight @ across == pytest.approx(0, abs=1e-9)
            assert weight @ (along * across) == pytest.approx(0, abs=1e-9)
            assert weight @ along**2 >= weight @ across**2
            assert min(weight @ along**3, weight @ across**3) >= -1e-12


@pytest.mark.parametrize("size", [32, 224])
def test_the_squares_of_the_pixels_are_the_jets_momentum_and_its_charged_particles(
    collisions: list[Collision], size: int
) -> None:
    jets = find_fat_jets(collisions[0].particles)
    pixels = make_images(jets, size).pixels.astype(float)
    assert pixels.shape == (len(jets), 3, size, size)
    assert len(jets) > 0
    inside = (np.abs(standard_view(jets)) < 0.8).all(axis=1)
    for number in range(len(jets)):
        own = inside & (jets.owner == number)
        total = jets.constituents.pt[jets.owner == number].sum()
        charged = jets.constituents.charge[own] != 0
        shares = [jets.constituents.pt[own][kept].sum() / total for kept in (charged, ~charged)]
        assert (pixels[number, :2] ** 2).sum(axis=(1, 2)) == pytest.approx(shares, rel=1e-4)
        assert 10 * (pixels[number, 2] ** 2).sum() == pytest.approx(np.count_nonzero(charged), rel=1e-4)


def test_a_particle_alone_is_in_the_middle_and_a_neutral_one_in_its_channel() -> None:
    for charge, channels in ((1, [1, 0, np.sqrt(0.1)]), (0, [0, 1, 0])):
        pixels = make_images(jet([(500, 0.3, 1)], charge), 32).pixels
        assert pixels[0, :, 16, 16] == pytest.approx(channels, abs=1e-6)
        assert np.count_nonzero(pixels) == np.count_nonzero(channels)


def test_the_image_of_a_jet_is_the_same_alone_and_beside_others(collisions: list[Collision]) -> None:
    jets = next(found for event in collisions if len(found := find_fat_jets(event.particles)) == 2)
    both = make_images(jets, 32).pixels
    for number in (0, 1):
        own = jets.owner == number
        columns = (jets.constituents.pt, jets.constituents.eta, jets.constituents.phi, jets.constituents.energy)
        parts = (*columns, jets.constituents.pdg, jets.constituents.charge)
        alone = FatJets(
            *(each[number : number + 1] for each in (jets.pt, jets.eta, jets.phi, jets.mass)),
            Particles(*(each[own] for each in parts)),
            np.zeros(own.sum(), np.intp),
        )
        assert np.array_equal(make_images(alone, 32).pixels[0], both[number])


def test_a_request_for_ten_jets_has_48_megabits_as_in_table_2() -> None:
    around = of_rows([(500 + n, 2 * (n % 2) - 1, -3 + 0.5 * n) for n in range(12)])
    pixels = make_images(find_fat_jets(around, radius=0.3), 224).pixels
    assert pixels.shape[0] == 10
    assert pixels.nbytes * 8 / 1e6 == pytest.approx(48.2, abs=0.05)
