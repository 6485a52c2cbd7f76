"""The first trigger level, and the menu that FACILE stands behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eventbraid.loading import load_job
from eventbraid_modules.hlt.digitizer import PEDESTAL_FC, digitise
from eventbraid_modules.hlt.geometry import CHANNELS, ETA, GAIN, cells
from eventbraid_modules.hlt.level1 import Regions, sum_regions
from eventbraid_modules.hlt.pulse import pulse

MENU = Path(__file__).parents[3] / "examples/trigger_menu.py"


def charge_of(energy: np.ndarray, crossing: int = 0) -> np.ndarray:
    """Charges without noise of energies in GeV."""
    shares = pulse(np.array([25.0 * crossing], np.float32))
    return (PEDESTAL_FC + (energy / GAIN)[:, None] * shares).astype(np.float32)


def at(eta: float, phi: float, energy: float) -> np.ndarray:
    """Energy in the five depths of one tower."""
    (row,), (column,) = cells(np.array([eta], np.float32), np.array([phi], np.float32))
    energies = np.zeros((40, 80, 5), np.float32)
    energies[row, column] = energy / 5
    return energies.reshape(CHANNELS)


def test_a_region_has_the_transverse_energy_of_its_towers() -> None:
    energies = at(0.8, 0.5, 60.0)
    regions = sum_regions(charge_of(energies))
    assert regions.pt.shape == (10, 20)
    eta = ETA[energies > 0][0]
    assert regions.pt.max() == pytest.approx(60 / np.cosh(eta), rel=0.01)
    assert np.count_nonzero(regions.pt) == 1


def test_a_pulse_of_another_crossing_counts_as_nothing() -> None:
    for crossing in (-2, -1, 1, 2):
        assert sum_regions(charge_of(at(0.8, 0.5, 60.0), crossing)).pt.max() < 0.15 * 60


def test_noise_alone_makes_no_region_loud() -> None:
    regions = sum_regions(digitise(np.zeros(CHANNELS, np.float32), np.random.default_rng(1)))
    assert regions.pt.max() < 5


def test_energy_on_one_side_is_missing_momentum_and_on_both_sides_is_none() -> None:
    one, both = at(0.1, 0.5, 50.0), at(0.1, 0.5, 50.0) + at(0.1, 0.5 - np.pi, 50.0)
    assert sum_regions(charge_of(one)).missing_pt == pytest.approx(50, rel=0.02)
    assert sum_regions(charge_of(both)).missing_pt < 1


def test_regions_a_quarter_of_a_turn_apart_add_up_at_right_angles() -> None:
    pt = np.zeros((10, 20), np.float32)
    pt[5, 3], pt[5, 8] = 30, 40
    assert Regions(pt).missing_pt == pytest.approx(50, rel=1e-5)


def test_the_menu_asks_facile_only_for_events_that_a_quick_filter_lets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reports = [load_job(MENU).replace(events=40).run(mode) for mode in ("async", "blocking")]
    assert reports[0].paths == reports[1].paths
    calls = {label: times.calls for label, times in reports[0].modules.items()}
    assert calls["level1"] == 40
    assert 0 < calls["energies"] < 40
    assert calls["energies"] == calls["towers"] >= calls["jets"]
