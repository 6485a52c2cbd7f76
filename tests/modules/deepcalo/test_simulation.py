"""Electrons, showers and cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import EventID, Job, ModuleError
from eventbraid.errors import DataError
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.deepcalo import Cells, Electrons, ElectronSource, ShowerSimulator
from eventbraid_modules.deepcalo.cells import depths, simulate
from eventbraid_modules.deepcalo.geometry import ETA_MAX, LAYERS, PHI_PIXELS, PIXEL_PHI
from eventbraid_modules.deepcalo.shower import depth_profile, inside, shares


def electrons(energy: Sequence[float], eta: Sequence[float], phi: Sequence[float]) -> Electrons:
    return Electrons(*(np.array(column, np.float32) for column in (energy, eta, phi)))


def alike(count: int, energy: float, eta: float = 0.1, phi: float = 0.2) -> Electrons:
    return electrons([energy] * count, [eta] * count, [phi] * count)


def totals(cells: Cells) -> np.ndarray:
    """Energy of each layer for each electron, GeV, shape (n, 4)."""
    return np.stack([energy.sum(axis=(1, 2)) for energy in cells.layers], axis=1)


def test_an_event_has_five_electrons_of_the_spectrum() -> None:
    (partition,) = ElectronSource(events=50, seed=3).partitions()
    entries = list(partition)
    assert [entry.id for entry in entries] == [EventID(1, 1, number) for number in range(1, 51)]
    found: list[Electrons] = [entry.products["electrons"] for entry in entries]  # type: ignore[misc]
    assert {len(each) for each in found} == {5}
    energy = np.concatenate([each.energy for each in found])
    assert 10 <= energy.min() < 15
    assert 200 < energy.max() <= 250
    assert np.median(energy) == pytest.approx(50, rel=0.25)  # of a spectrum even in the logarithm
    assert max(np.abs(each.eta).max() for each in found) <= ETA_MAX


def test_a_sample_begins_with_every_shorter_one_of_its_seed() -> None:
    def drawn(events: int, seed: int) -> np.ndarray:
        (partition,) = ElectronSource(events=events, seed=seed).partitions()
        return np.concatenate([entry.products["electrons"].energy for entry in partition])  # type: ignore[attr-defined]

    assert np.array_equal(drawn(3, 1), drawn(6, 1)[:15])
    assert not np.array_equal(drawn(3, 1), drawn(3, 2))


def test_the_layers_cover_a_patch_with_whole_cells() -> None:
    assert [layer.cells for layer in LAYERS] == [(14, 5), (112, 5), (14, 20), (7, 20)]


@given(st.floats(1, 80), st.lists(st.floats(-300, 300), min_size=2, max_size=2, unique=True), st.floats(-200, 200))
def test_shares_of_rectangles_add_up(radius: float, ends: list[float], middle: float) -> None:
    low, high = sorted(ends)
    y = np.array([[-1e5, middle, 1e5]], np.float32)
    x = np.array([[-1e5, low, high, 1e5]], np.float32)
    found = inside(x, y, np.array([radius], np.float32))
    assert found.shape == (1, 3, 2)
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert (found > -1e-5).all()


def test_a_share_is_the_integral_of_the_profile_over_the_rectangle() -> None:
    x, y = np.linspace(-20, 50, 1401), np.linspace(10, 40, 601)
    u, v = np.meshgrid((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2)
    density = 30**2 / (np.pi * (u**2 + v**2 + 30**2) ** 2)
    (found,) = inside(np.float32([[-20, 50]]), np.float32([[10, 40]]), np.float32([30]))
    assert found == pytest.approx(density.sum() * 0.05 * 0.05, rel=1e-4)


@given(st.floats(0.5, 250), st.integers(0, 2**31))
def test_all_of_a_shower_is_in_its_profile(energy: float, seed: int) -> None:
    profile = depth_profile(np.full(3, energy, np.float32), np.random.default_rng(seed))
    assert profile.shape == (3, 192)
    assert profile.sum(axis=1) == pytest.approx(1, abs=1e-4)
    edges = np.float32([[0, 1.3, 6.6, 48]] * 3)
    assert shares(profile, edges).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_showers_of_more_energy_are_deeper_by_its_logarithm() -> None:
    def top(energy: float) -> float:
        profile = depth_profile(np.full(4000, energy, np.float32), np.random.default_rng(1))
        return 0.25 * float(profile.argmax(axis=1).mean())

    assert top(100) - top(10) == pytest.approx(np.log(10), rel=0.15)
    assert top(100) == pytest.approx(np.log(100 / 0.0095) - 0.858, rel=0.1)


def test_there_is_more_material_before_the_calorimeter_towards_its_edge() -> None:
    found = depths(np.float32([0, 0.7, 1.4, -1.4]))
    assert (np.diff(found, axis=1) > 0).all()
    assert (np.diff(found[:3, 2]) > 0).all()
    assert np.array_equal(found[2], found[3])
    assert (found[:, 5] > 26).all()


def test_most_of_an_electron_is_in_the_middle_layer_and_some_of_it_is_lost() -> None:
    found = totals(simulate(alike(300, 100), np.random.default_rng(1), 0.0)).mean(axis=0) / 100
    assert found.argmax() == 2
    assert 0.9 < found.sum() < 1
    assert found[0] < 0.02
    assert 0 < found[3] < 0.03


def test_cells_are_noisy_by_the_noise_of_their_layer_where_there_is_no_energy() -> None:
    cells = simulate(alike(50, 1e-4), np.random.default_rng(1), 0.0)
    for layer, energy in zip(LAYERS, cells.layers, strict=True):
        assert energy.std() == pytest.approx(layer.noise, rel=0.05)


def test_other_collisions_add_energy_and_spread() -> None:
    quiet, busy = (
        totals(simulate(alike(400, 20), np.random.default_rng(1), pileup)).sum(axis=1) for pileup in (0.0, 80.0)
    )
    assert busy.mean() - quiet.mean() == pytest.approx(80 * 0.06 * 0.6, rel=0.2)
    assert busy.std() > 1.2 * quiet.std()


def test_the_same_electron_a_quarter_turn_further_leaves_the_same_cells() -> None:
    one, other = (simulate(alike(5, 50, phi=phi), np.random.default_rng(1), 35.0) for phi in (0.01, 0.01 + np.pi / 2))
    assert np.array_equal((other.corner - one.corner) % PHI_PIXELS, [[0, PHI_PIXELS // 4]] * 5)
    for first, second in zip(one.layers, other.layers, strict=True):
        assert np.allclose(first, second, atol=0.05, rtol=0.01)


def test_cells_depend_on_the_event_alone() -> None:
    ids = [EventID(1, 1, 7), EventID(1, 1, 8), EventID(1, 1, 7), EventID(1, 2, 7)]
    output = ListOutput(keep=["cells"])
    source = ListSource([{"electrons": alike(2, 50)}] * 4, ids)
    Job("t", source=source, modules={"cells": ShowerSimulator()}, outputs=[output], streams=4).run()
    strips = [row.products["cells"].layers[1] for row in output.rows]
    assert np.array_equal(strips[0], strips[2])
    assert not np.array_equal(strips[0], strips[1])
    assert not np.array_equal(strips[0], strips[3])
    assert not strips[0].flags.writeable


def test_no_electrons_leave_no_cells() -> None:
    cells = simulate(electrons([], [], []), np.random.default_rng(1), 35.0)
    assert len(cells) == 0
    assert [energy.shape for energy in cells.layers] == [(0, *layer.cells) for layer in LAYERS]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ((np.nan, 0.0, 0.0), "electron 1 has energy nan"),
        ((np.inf, 0.0, 0.0), "electron 1 has energy inf"),
        ((-3.0, 0.0, 0.0), "electron 1 has energy -3"),
        ((3e38, 0.0, 0.0), "electron 1 has energy 3e+38"),
        ((10.0, 2.0, 0.0), "eta 2, phi 0: no electron within |eta| = 1.4"),
        ((10.0, np.nan, 0.0), "eta nan"),
        ((10.0, 0.0, np.inf), "phi inf"),
    ],
)
def test_what_is_no_electron_of_the_barrel_is_told(bad: tuple[float, float, float], told: str) -> None:
    both = electrons(*zip((20.0, 0.5, 0.1), bad, strict=True))
    with pytest.raises(DataError) as caught:
        simulate(both, np.random.default_rng(1), 35.0)
    assert told in str(caught.value)
    job = Job(
        "t",
        source=ListSource([{"electrons": both}]),
        modules={"cells": ShowerSimulator()},
        outputs=[ListOutput(keep=["cells"])],
    )
    with pytest.raises(ModuleError, match=r"module 'cells'.*event 1:1:1"):
        job.run()


def test_an_electron_that_turns_lands_apart_from_its_photon_in_phi_alone() -> None:
    """Low momenta in the field are wider in phi, and not in eta."""

    def width(energy: float, axis: int) -> float:
        middle = simulate(alike(400, energy, eta=0.01, phi=0.01), np.random.default_rng(2), 0.0).layers[2].mean(axis=0)
        profile = middle.sum(axis=1 - axis)
        places = np.arange(len(profile))
        mean = (profile * places).sum() / profile.sum()
        return float((profile * (places - mean) ** 2).sum() / profile.sum())

    assert width(10, 1) > 1.5 * width(200, 1)
    assert width(10, 0) == pytest.approx(width(200, 0), rel=0.3)
    assert pytest.approx(2 * np.pi) == PIXEL_PHI * PHI_PIXELS
