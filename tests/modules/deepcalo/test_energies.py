"""Calibrated sums, and the figures of merit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eventbraid import Job, ModuleError
from eventbraid.testing import ListSource
from eventbraid_modules.deepcalo import Electrons, EnergyResolution
from eventbraid_modules.deepcalo.calibration import BINS, COEFFICIENTS, bins, calibrated, layer_sums
from eventbraid_modules.deepcalo.fit_sums import fit
from eventbraid_modules.deepcalo.picture import draw
from eventbraid_modules.deepcalo.resolution import figures_of
from eventbraid_modules.deepcalo.sample import draw_sample
from eventbraid_modules.statistics import effective_resolution


def truth(energy: list[float]) -> Electrons:
    zeros = np.zeros(len(energy), np.float32)
    return Electrons(np.array(energy, np.float32), zeros, zeros)


def test_a_sample_begins_with_every_shorter_one_of_its_seed() -> None:
    long, short, other = draw_sample(520, 4), draw_sample(7, 4), draw_sample(7, 5)
    assert np.array_equal(long.pixels[:7], short.pixels)
    assert np.array_equal(long.energy[:7], short.energy)
    assert not np.array_equal(short.energy, other.energy)


def test_the_sums_are_of_5_by_9_middle_cells() -> None:
    pixels = np.zeros((1, 56, 11, 4), np.float32)
    pixels[0, 8:48, 1:10] = [1, 2, 3, 4]
    inside = layer_sums(pixels)
    pixels[0, :8] = pixels[0, 48:] = pixels[0, :, 0] = pixels[0, :, 10] = 100
    assert np.array_equal(layer_sums(pixels), inside)
    assert inside.tolist() == [[360, 720, 1080, 1440]]
    assert 360 == 5 * 8 * 9


def test_the_fit_finds_the_weights_that_made_the_energies() -> None:
    rng = np.random.default_rng(1)
    sums = rng.exponential([1, 20, 50, 2], (3000, 4)).astype(np.float32)
    eta = rng.uniform(-1.4, 1.4, 3000).astype(np.float32)
    wanted = np.column_stack([np.linspace(0.1, 0.7, BINS), rng.uniform(0.8, 2, (BINS, 4))])
    found = fit(sums, eta, calibrated(sums, eta, wanted))
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_bins_are_02_wide_in_eta_on_both_sides() -> None:
    assert bins(np.float32([0, -0.19, 0.21, -1.3, 1.39, 1.41])).tolist() == [0, 0, 1, 6, 6, 6]
    assert COEFFICIENTS.shape == (BINS, 5)


def test_the_weights_are_those_that_the_fit_gives() -> None:
    sample = draw_sample(7_000, 1)
    sums = layer_sums(sample.pixels)
    again = calibrated(sums, sample.eta, fit(sums, sample.eta, sample.energy))
    ratios = calibrated(sums, sample.eta) / again
    assert np.median(np.abs(ratios - 1)) < 0.005


def test_the_sums_are_within_their_bounds_on_electrons_that_were_not_fitted() -> None:
    sample = draw_sample(4000, 7)
    ratios = calibrated(layer_sums(sample.pixels), sample.eta) / sample.energy
    assert effective_resolution(ratios) < 0.031
    assert effective_resolution(ratios[sample.energy > 130]) < 0.019
    assert np.median(ratios) == pytest.approx(1, abs=0.005)


def test_figures_are_of_all_and_of_bins_that_hold_enough() -> None:
    energy = np.concatenate([np.full(40, 15.0), np.full(40, 100.0), np.full(5, 200.0)])
    found = energy * np.concatenate([np.linspace(1.0, 1.4, 40), np.full(40, 0.9), np.full(5, 1.0)])
    figures = figures_of(found, energy)
    assert figures["electrons"] == 85
    assert figures["resolution 10 to 25 GeV, %"] == pytest.approx(100 * 27 / 39 * 0.4 / 2)
    assert figures["bias 10 to 25 GeV, %"] == pytest.approx(20)
    assert figures["bias 60 to 130 GeV, %"] == pytest.approx(-10)
    assert "resolution 130 to 250 GeV, %" not in figures
    assert "resolution, %" in figures


def test_energies_that_are_no_numbers_are_counted_and_left_out() -> None:
    energy = np.full(30, 50.0)
    found = np.where(np.arange(30) < 3, [np.nan, np.inf, -np.inf] * 10, 50.0)
    figures = figures_of(found, energy)
    assert figures["electrons"] == 27
    assert figures["energies that are no numbers"] == 3
    assert figures["bias, %"] == 0


def test_a_job_without_electrons_has_figures_without_resolution() -> None:
    events = [{"electrons": truth([]), "energies": np.zeros(0, np.float32)}] * 2
    for source in (ListSource(events), ListSource([], products=["electrons", "energies"])):
        report = Job("t", source=source, modules={"r": EnergyResolution()}).run()
        assert report.figures["r"] == {"electrons": 0}


def test_energies_of_other_electrons_are_told() -> None:
    source = ListSource([{"electrons": truth([10, 20]), "energies": np.ones(3, np.float32)}])
    with pytest.raises(ModuleError, match=r"2 electrons have energies of shape \[3\]"):
        Job("t", source=source, modules={"r": EnergyResolution()}).run()


def test_the_picture_shows_both_resolutions(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    sample = draw_sample(500, 3)
    draw(sample, sample.energy, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
