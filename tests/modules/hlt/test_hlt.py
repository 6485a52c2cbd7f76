"""The trigger's simulation, reconstruction and network."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventbraid_modules.models
from eventbraid import EventID, Job
from eventbraid.loading import load_job
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
    TrueEnergies,
)
from eventbraid_modules.hlt.digitizer import (
    CROSSINGS,
    INPUTS,
    PEDESTAL_FC,
    deposit,
    digitise,
    features_of,
    out_of_time,
)
from eventbraid_modules.hlt.energies import fit_pulses
from eventbraid_modules.hlt.geometry import CHANNELS, ETA, GAIN, PHI, SHAPE, TOWER_ETA, TOWERS
from eventbraid_modules.hlt.jets import anti_kt, find_jets
from eventbraid_modules.hlt.missing import missing_of
from eventbraid_modules.hlt.pulse import SLICE_NS, SLICES, pulse
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


@given(st.floats(5, 200), st.lists(st.floats(0, 50), min_size=4, max_size=4))
def test_the_fit_finds_the_energy_of_a_nominal_pulse_whatever_the_crossings_beside_left(
    energy: float, others: list[float]
) -> None:
    crossings = np.array([0, *CROSSINGS], np.float32)
    pulses = np.array([energy, *others], np.float32) @ pulse(SLICE_NS * crossings)
    charge = (PEDESTAL_FC + pulses / GAIN[:50, None]).astype(np.float32)
    assert np.allclose(fit_pulses(charge, GAIN[:50]), energy, rtol=1e-3, atol=0.05)


def test_crossings_beside_leave_soft_energy_of_the_same_amount_elsewhere() -> None:
    rng = np.random.default_rng(1)
    soft = pions([1.0] * 2000, rng.uniform(-3, 3, 2000).tolist(), rng.uniform(-3, 3, 2000).tolist())
    hard = pions([80.0], [0.1], [1.0])
    columns = [np.concatenate([getattr(each, field.name) for each in (soft, hard)]) for field in fields(Particles)]
    others = out_of_time(Particles(*columns), rng)
    alone = deposit(soft, rng).sum()
    assert others.shape == (len(CROSSINGS), CHANNELS)
    assert np.allclose(others.sum(axis=1), alone, rtol=0.05)
    assert others.max() < 40
    assert not np.array_equal(others[0], others[1])


def test_the_truth_is_what_the_digitizer_of_the_same_seed_found_deposited() -> None:
    output = ListOutput(keep=["truth", "digis"])
    modules = {"digis": HcalDigitizer(seed=5), "truth": TrueEnergies(seed=5)}
    source = ListSource([{"particles": pions([200.0] * 50, [0.1] * 50, [1.0] * 50)}])
    Job("t", source=source, modules=modules, outputs=[output]).run()
    truth, digis = (output.rows[0].products[name] for name in ("truth", "digis"))
    fitted = fit_pulses(digis.charge, GAIN)
    loud = truth > 50
    assert loud.sum() >= 5
    assert np.allclose(fitted[loud], truth[loud], rtol=0.15)


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
    shapes = [list(each.dims) for each in model.graph.initializer if "running" not in each.name]
    dense = [shape for shape in shapes if len(shape) == 2]
    assert dense == [[30, 15], [20, 30], [10, 20], [5, 10], [3, 5], [1, 3]]
    assert [after for after, _ in dense] == list(LAYERS)
    assert sum(int(np.prod(shape)) for shape in shapes) == 1417
    assert [node.op_type for node in model.graph.node] == ["BatchNormalization", *["Gemm", "Relu"] * 5, "Gemm"]


def test_facile_beats_the_fit_on_collisions_that_it_was_not_trained_on() -> None:
    job = load_job(Path(__file__).parents[3] / "examples/facile.py").replace(events=40)
    figures = job.run("blocking").figures
    ours, rule = (figures[f"energiesOf{name}"] for name in ("Facile", "Fit"))
    for name in ("RMS below 0.5 GeV, GeV", "RMS 1 to 10 GeV, GeV", "RMS above 10 GeV, GeV"):
        assert ours[name] < rule[name], name


def test_digis_are_frozen_with_their_arrays() -> None:
    output = ListOutput(keep=["digis"])
    Job("t", source=ListSource([{"particles": NOTHING}]), modules={"digis": HcalDigitizer()}, outputs=[output]).run()
    digis = output.rows[0].products["digis"]
    assert isinstance(digis, HcalDigis)
    assert not digis.charge.flags.writeable
    assert not digis.features.flags.writeable
