"""The detector and what cosmic rays leave in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventbraid import ConfigurationError, EventID, Job
from eventbraid.testing import ListOutput
from eventbraid_modules.protodune import CosmicSource, Detector, Ionisation, Kind, WireReadout
from eventbraid_modules.protodune.cascade import cascade, isotropic
from eventbraid_modules.protodune.cosmics import MICHEL_MEV, Rates, michel_energies
from eventbraid_modules.protodune.ionisation import join
from eventbraid_modules.protodune.muons import muons
from eventbraid_modules.protodune.readout import FULL_SCALE, arrivals_of, digitise, drift
from eventbraid_modules.protodune.response import response
from eventbraid_modules.protodune.source import simulate


def test_the_full_detector_has_15360_channels_and_3_ms() -> None:
    full = Detector(modules=6, wires=960, ticks=6000)
    assert full.channels == 15_360 == sum(plane.wires for plane in full.planes)
    assert full.ticks * 0.5e-3 == 3.0
    assert len(full.planes) == 18


@given(st.integers(1, 4), st.integers(10, 200), st.integers(300, 7000))
def test_planes_share_the_channels_without_a_gap(modules: int, sixth: int, ticks: int) -> None:
    detector = Detector(modules, 6 * sixth, ticks)
    found = np.concatenate([np.arange(detector.channels)[plane.channels] for plane in detector.planes])
    assert np.array_equal(found, np.arange(detector.channels))


def test_every_point_of_a_module_has_a_wire_in_each_plane_and_a_tick() -> None:
    detector = Detector()
    points = np.random.default_rng(1).random((1000, 3)) * detector.box
    for plane in detector.planes:
        wires = detector.wire(plane, points[:, 1], points[:, 2])
        assert wires.min() >= 0
        assert wires.max() < plane.wires
    ticks = detector.tick(points[:, 0])
    assert ticks.min() > 0
    assert ticks.max() < detector.ticks


def test_michel_electrons_have_up_to_53_mev_and_mostly_much() -> None:
    energies = michel_energies(20_000, np.random.default_rng(1))
    assert energies.min() >= 0
    assert energies.max() <= MICHEL_MEV < 53
    assert energies.mean() == pytest.approx(0.7 * MICHEL_MEV, rel=0.01)


@settings(max_examples=20)
@given(st.floats(3, 800), st.integers(0, 2**31))
def test_a_shower_leaves_its_energy_but_for_what_is_too_soft_to_follow(energy: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = cascade(np.zeros((1, 3)), isotropic(1, rng), np.array([energy]), rng)
    assert found.energy.sum() <= energy + 1e-6
    assert found.energy.sum() > 0.6 * energy - 2
    assert found.primary.any()


def test_showers_of_more_energy_are_longer_and_have_more_branches() -> None:
    rng = np.random.default_rng(1)
    spread, radiated = [], []
    for energy in (50.0, 800.0):
        found = cascade(np.zeros((50, 3)), np.tile([0.0, 0.0, 1.0], (50, 1)), np.full(50, energy), rng)
        spread.append(np.abs(found.position).mean())
        radiated.append(found.energy[~found.primary].sum() / found.energy.sum())
    assert spread[1] > 1.5 * spread[0]
    assert radiated[1] > 1.3 * radiated[0] > 0


def test_no_electrons_leave_nothing() -> None:
    found = cascade(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.random.default_rng(1))
    assert len(found.energy) == 0


def test_a_stopping_muon_ends_where_it_stops_with_more_charge_than_before() -> None:
    box = np.full(3, 200.0)
    stop = np.array([[100.0, 50.0, 100.0]])
    tracks, _ = muons(stop, np.zeros(1), box, np.random.default_rng(2))
    distance = np.linalg.norm(tracks.position - stop, axis=1)
    assert distance.min() < 0.5
    assert tracks.position[distance > 1, 1].min() > 45  # it came from above
    peak, before = (tracks.electrons[(distance > low) & (distance < high)].mean() for low, high in ((0, 2), (40, 80)))
    assert 1.5 < peak / before < 4


def test_a_crossing_muon_leaves_at_both_ends_and_about_two_mev_a_cm() -> None:
    box = np.full(3, 200.0)
    tracks, _ = muons(np.full((1, 3), 100.0), np.array([2000.0]), box, np.random.default_rng(2))
    length = np.linalg.norm(tracks.position[-1] - tracks.position[0]) + np.linalg.norm(np.ptp(tracks.position, axis=0))
    assert np.ptp(tracks.position, axis=0).max() > 195
    assert length > 195
    assert tracks.electrons.mean() == pytest.approx(0.3 * 2.1 / 23.6e-6 * 0.7, rel=0.1)


def test_a_sample_begins_with_every_shorter_one_and_depends_on_its_seed() -> None:
    def charges(events: int, seed: int) -> list[Any]:
        parts = CosmicSource(events=events, seed=seed, wires=60, ticks=400, crossing=2).partitions()
        return [entry.products["ionisation"] for part in parts for entry in part]

    first, longer, other = charges(2, 1), charges(3, 1), charges(2, 2)
    assert all(np.array_equal(one.electrons, two.electrons) for one, two in zip(first, longer, strict=False))
    assert not any(np.array_equal(one.electrons, two.electrons) for one, two in zip(first, other, strict=True))


def test_a_detector_of_an_odd_number_of_wires_is_a_fault_of_the_job() -> None:
    with pytest.raises(ConfigurationError, match="wires"):
        Job("t", source=CosmicSource(wires=100), modules={"readout": WireReadout()}).run()


def test_responses_are_of_one_sign_on_collection_wires_and_of_both_on_induction_wires() -> None:
    assert response("X").min() > -1e-9
    for view in "UV":
        assert abs(response(view).sum()) < 0.02 * np.abs(response(view)).sum()
        assert response(view).argmax() < response(view).argmin()


def test_drift_keeps_the_charge_and_spreads_it_more_the_longer_it_takes() -> None:
    for x, along in ((0.1, 0.02), (400.0, 0.14)):
        points = 3000
        position = np.tile([x, 50.0, 50.0], (points, 1))
        whole = Ionisation(position, np.ones(points), np.zeros(points, np.int8), np.zeros(points, np.int16))
        clouds = drift(whole, np.random.default_rng(1))
        assert clouds.electrons.sum() == pytest.approx(points)
        assert clouds.position[:, 0].std() == pytest.approx(along, abs=0.02)


def test_waveforms_are_a_pedestal_with_noise_of_2_5_counts_where_nothing_happens() -> None:
    detector = Detector(wires=60, ticks=1000)
    quiet = arrivals_of(detector, join([]))
    adc = digitise(detector, quiet, 2.5, np.random.default_rng(1))
    assert adc.shape == (detector.channels, 1000)
    assert adc.dtype == np.uint16
    assert adc.std(axis=1).mean() == pytest.approx(2.5, rel=0.03)


def test_a_charge_beyond_the_digitisers_range_stands_at_full_scale() -> None:
    detector = Detector(wires=60, ticks=400)
    point = Ionisation(detector.box[None] / 2, np.array([1e8]), np.zeros(1, np.int8), np.zeros(1, np.int16))
    adc = digitise(detector, arrivals_of(detector, point), 2.5, np.random.default_rng(1))
    assert adc.max() == FULL_SCALE == 4095
    assert adc.min() == 0  # an induction wire's second half


def test_arrivals_are_sorted_and_hold_the_charge_of_three_planes() -> None:
    detector = Detector(modules=2, wires=120, ticks=800)
    ionisation = simulate(detector, Rates(2, 2, 2), seed=1, number=1)
    arrivals = arrivals_of(detector, ionisation)
    assert (np.diff(arrivals.key) >= 0).all()
    assert arrivals.electrons.sum() == pytest.approx(3 * ionisation.electrons.sum(), rel=1e-3)
    assert set(arrivals.kind) <= set(Kind)
    assert set(ionisation.module) == {0, 1}


def test_waveforms_depend_on_the_event_alone() -> None:
    def waveforms(streams: int, mode: Any) -> dict[EventID, Any]:
        output = ListOutput(keep=["readout.waveforms"])
        source = CosmicSource(events=4, wires=60, ticks=400)
        Job("t", source=source, modules={"readout": WireReadout()}, outputs=[output], streams=streams).run(mode)
        return {row.id: row.products["readout.waveforms"].adc for row in output.rows}

    braided, blocking = waveforms(4, "async"), waveforms(1, "blocking")
    assert len(braided) == 4
    assert all(np.array_equal(braided[each], blocking[each]) for each in braided)
