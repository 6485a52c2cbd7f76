"""The trigger's simulation, reconstruction and network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventbraid_modules.models
from eventbraid import EventID, Job
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.collisions import Particles
from eventbraid_modules.hlt import (
    HcalDigis,
    HcalDigitizer,
    JetFilter,
    JetFinder,
    MissingFilter,
    MissingMomentum,
    TemplateEnergies,
    TowerMaker,
    Towers,
)
from eventbraid_modules.hlt.digitizer import INPUTS, deposit, digitise, features_of
from eventbraid_modules.hlt.energies import fit_template
from eventbraid_modules.hlt.geometry import CHANNELS, ETA, GAIN, PHI, SHAPE, TOWER_ETA, TOWERS
from eventbraid_modules.hlt.jets import anti_kt, find_jets
from eventbraid_modules.hlt.missing import missing_of
from eventbraid_modules.hlt.pulse import SLICES, pulse
from eventbraid_modules.hlt.towers import sum_depths
from eventbraid_modules.hlt.train_facile import LAYERS

MODEL = Path(eventbraid_modules.models.__path__[0]) / "facile/1/model.onnx"


def pions(pt: list[float], eta: list[float], phi: list[float]) -> Particles:
    """Charged pions."""
    momentum = np.array(pt, np.float32)
    energy = (momentum * np.cosh(eta)).astype(np.float32)
    ones = np.ones(len(pt))
    angles = np.array(eta, np.float32), np.array(phi, np.float32)
    return Particles(momentum, *angles, energy, (211 * ones).astype(np.int32), ones.astype(np.int8))


NOTHING = pions([], [], [])


def test_the_calorimeter_has_16000_channels_in_3200_towers() -> None:
    assert int(np.prod(SHAPE)) == CHANNELS == len(ETA) == len(PHI) == len(GAIN) == 16_000
    assert TOWERS * SHAPE[2] == CHANNELS
    assert len(TOWER_ETA) == TOWERS


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_a_pulse_has_its_whole_charge_in_the_slices(delays: list[float]) -> None:
    shares = pulse(np.array(delays, np.float32))
    assert shares.shape == (len(delays), SLICES)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert (shares >= 0).all()


def test_deposits_are_where_the_particle_goes_and_about_its_energy() -> None:
    rng = np.random.default_rng(1)
    energy = deposit(pions([50.0] * 200, [0.1] * 200, [1.0] * 200), rng)
    assert energy.sum() == pytest.approx(200 * 50 * np.cosh(0.1), rel=0.05)
    hit = energy > 0
    assert np.abs(ETA[hit] - 0.1).max() < 0.3
    assert np.abs(PHI[hit] - 1.0).max() < 0.2


def test_particles_outside_the_detector_leave_nothing() -> None:
    assert deposit(pions([5.0, 5.0], [4.0, -4.5], [0.0, 3.1]), np.random.default_rng(1)).sum() == 0


def test_digis_depend_on_the_event_alone() -> None:
    source = [{"particles": pions([20.0], [0.5], [0.5])}] * 4
    ids = [EventID(1, 1, 7), EventID(1, 1, 8), EventID(1, 1, 7), EventID(1, 2, 7)]
    output = ListOutput(keep=["digis"])
    modules = {"digis": HcalDigitizer()}
    Job("t", source=ListSource(source, ids), modules=modules, outputs=[output], streams=4).run()
    charges = [row.products["digis"].charge for row in output.rows]
    assert np.array_equal(charges[0], charges[2])
    assert not np.array_equal(charges[0], charges[1])
    assert not np.array_equal(charges[0], charges[3])


def test_features_are_15_numbers_a_channel() -> None:
    features = features_of(digitise(np.zeros(CHANNELS, np.float32), np.random.default_rng(1)))
    assert features.shape == (CHANNELS, INPUTS) == (16_000, 15)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@given(st.floats(5, 200))
def test_the_template_fit_finds_the_energy_of_a_nominal_pulse(energy: float) -> None:
    from eventbraid_modules.hlt.digitizer import PEDESTAL_FC
    from eventbraid_modules.hlt.pulse import NOMINAL

    charge = (PEDESTAL_FC + np.outer(energy / GAIN[:50], NOMINAL)).astype(np.float32)
    assert np.allclose(fit_template(charge, GAIN[:50]), energy, rtol=1e-3)


@given(st.integers(0, 2**31))
def test_towers_conserve_the_energy_of_their_channels(seed: int) -> None:
    energies = np.random.default_rng(seed).exponential(1, CHANNELS).astype(np.float32)
    assert sum_depths(energies, 0.0, 0.0).energy.sum() == pytest.approx(energies.sum(), rel=1e-4)


def test_two_towers_back_to_back_are_two_jets_and_no_missing_momentum() -> None:
    towers = Towers(*(np.array(each, np.float32) for each in ([50, 50, 3], [0.0, 0.0, 0.1], [0.0, np.pi, 0.1])))
    jets = find_jets(towers, anti_kt(0.4), 10.0)
    assert len(jets.pt) == 2
    assert jets.pt[0] == pytest.approx(53, abs=0.5)
    assert list(jets.pt) == sorted(jets.pt, reverse=True)
    assert missing_of(towers).pt == pytest.approx(3, abs=0.1)


def test_an_event_without_particles_passes_through_with_empty_products() -> None:
    output = ListOutput(keep=["jets", "missing"])
    modules = {
        "hcalDigis": HcalDigitizer(),
        "energies": TemplateEnergies(),
        "towers": TowerMaker(channel_floor=5, tower_floor=5),
        "jets": JetFinder(),
        "missing": MissingMomentum(),
        "two": JetFilter(),
        "large": MissingFilter(),
    }
    source = ListSource([{"particles": NOTHING}])
    Job("t", source=source, modules=modules, paths={"j": ["two"], "m": ["large"]}, outputs=[output]).run()
    (row,) = output.rows
    assert row.products["jets"].pt.shape == (0,)
    assert row.products["missing"].pt == 0
    assert not row.path_results["j"].passed
    assert not row.path_results["m"].passed


def test_facile_is_the_papers_network_for_15_inputs_and_about_2000_parameters() -> None:
    model = onnx.load(MODEL)
    weights = {each.name: list(each.dims) for each in model.graph.initializer}
    assert [weights[f"dense{number}.bias"][0] for number in range(1, 7)] == [30, 20, 10, 5, 3, 1] == list(LAYERS)
    assert weights["dense1.weight"] == [30, 15]
    assert 1_300 <= sum(int(np.prod(dims)) for dims in weights.values()) <= 2_100


def test_facile_is_near_the_template_fit_on_signals_and_quieter_without() -> None:
    rng = np.random.default_rng(7)
    pt = rng.exponential(8, 600)
    energy = deposit(pions(pt.tolist(), rng.uniform(-2.5, 2.5, 600).tolist(), rng.uniform(-3, 3, 600).tolist()), rng)
    charge = digitise(energy, rng)
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    (found,) = session.run(["energy"], {"features": features_of(charge)})
    signal = energy > 1
    assert signal.sum() > 500

    def rms(values: np.ndarray) -> float:
        return float(np.sqrt(np.mean((values - energy)[signal] ** 2)))

    assert rms(found[:, 0]) <= 1.2 * rms(fit_template(charge, GAIN))
    assert found[energy == 0].std() < 0.5 * fit_template(charge, GAIN)[energy == 0].std()


def test_digis_are_frozen_with_their_arrays() -> None:
    output = ListOutput(keep=["digis"])
    Job("t", source=ListSource([{"particles": NOTHING}]), modules={"digis": HcalDigitizer()}, outputs=[output]).run()
    digis = output.rows[0].products["digis"]
    assert isinstance(digis, HcalDigis)
    assert not digis.charge.flags.writeable
    assert not digis.features.flags.writeable
