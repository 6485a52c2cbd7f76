"""From waveforms to patches: deconvolution, hits, patches, the truth behind hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventbraid.errors import DataError
from eventbraid_modules.protodune import Arrivals, Detector, Hits, Kind, Signals, Waveforms
from eventbraid_modules.protodune.deconvolution import deconvolve
from eventbraid_modules.protodune.hits import find_hits
from eventbraid_modules.protodune.patches import CENTRE, SIDE, TICKS, UNIT, cut_patches
from eventbraid_modules.protodune.readout import digitise
from eventbraid_modules.protodune.truth import NONE, match

if TYPE_CHECKING:
    from conftest import Reconstructed

SMALL = Detector(wires=60, ticks=400)


def points(*places: tuple[int, int, float], detector: Detector = SMALL, kind: int = 0) -> Arrivals:
    """Charge on channels at ticks."""
    key = np.array([channel * detector.ticks + tick for channel, tick, _ in places], np.int64)
    order = np.argsort(key)
    electrons = np.array([charge for *_, charge in places], np.float32)
    return Arrivals(key[order], electrons[order], np.full(len(places), kind, np.int8))


def read(arrivals: Arrivals, noise: float = 2.5, seed: int = 1) -> Waveforms:
    return Waveforms(digitise(SMALL, arrivals, noise, np.random.default_rng(seed)), SMALL)


def flat(value: float, detector: Detector = SMALL) -> Signals:
    """Signals of the same charge everywhere."""
    charge = np.full((detector.channels, detector.ticks), value, np.float32)
    noise = np.ones(detector.channels, np.float32)
    return Signals(charge, noise, np.zeros(detector.channels, np.int32), detector)


def hits_at(*places: tuple[int, float]) -> Hits:
    channel, tick = np.array(places).reshape(-1, 2).T
    ones = np.ones(len(places), np.float32)
    return Hits(channel.astype(np.int32), tick.astype(np.float32), ones, ones)


@settings(max_examples=30)
@given(st.sampled_from([20, 75, 130]), st.integers(60, 340), st.floats(2e4, 1e5))
def test_a_point_of_charge_becomes_one_hit_at_its_time_with_its_charge(channel: int, tick: int, charge: float) -> None:
    hits = find_hits(deconvolve(read(points((channel, tick, charge)), noise=0.5)), 10.0)
    largest = hits.electrons.argmax()
    assert hits.channel[largest] == channel
    assert hits.tick[largest] == pytest.approx(tick, abs=1)
    assert hits.electrons[largest] == pytest.approx(charge, rel=0.15)


def test_two_charges_three_us_apart_are_two_hits() -> None:
    hits = find_hits(deconvolve(read(points((130, 200, 4e4), (130, 212, 4e4)))), 8.0)
    assert hits.channel.tolist() == [130, 130]
    assert hits.tick == pytest.approx([200, 212], abs=1)


def test_noise_makes_few_hits_and_a_smaller_threshold_more() -> None:
    signals = deconvolve(read(points()))
    counts = [len(find_hits(signals, threshold)) for threshold in (6.0, 4.0, 3.0)]
    assert counts[0] < 3
    assert counts == sorted(counts)
    assert 20 < counts[2] < 0.02 * signals.charge.size


def test_hits_are_in_the_order_of_channel_and_tick(event: Reconstructed) -> None:
    hits = event.hits
    assert len(hits) > 500
    order = np.lexsort((hits.tick, hits.channel))
    assert np.array_equal(order, np.arange(len(hits)))
    assert ((hits.width > 0.6) & (hits.width < 20.01)).all()
    assert (hits.electrons > 0).all()


def test_dead_channels_have_no_charge_and_no_hits() -> None:
    waveforms = read(points((10, 200, 8e4), (11, 200, 8e4)))
    adc = waveforms.adc.copy()
    adc[10] = 0
    adc[12] = 4095
    signals = deconvolve(Waveforms(adc, SMALL))
    assert not signals.charge[[10, 12]].any()
    assert np.isinf(signals.noise[[10, 12]]).all()
    assert set(find_hits(signals, 8.0).channel) == {11}


def test_samples_that_are_not_numbers_leave_the_hits_of_other_samples() -> None:
    waveforms = read(points((130, 100, 6e4), (131, 200, 6e4)))
    adc: Any = waveforms.adc.astype(np.float32)
    adc[130, 180:260] = np.nan
    adc[131, :250] = np.nan
    hits = find_hits(deconvolve(Waveforms(adc, SMALL)), 8.0)
    assert hits.channel.tolist() == [130]
    assert hits.tick == pytest.approx([100], abs=1)


def test_values_beyond_the_digitisers_range_count_as_its_ends() -> None:
    adc: Any = read(points((130, 200, 6e4))).adc.astype(np.float64)
    adc[130, 100], adc[130, 300] = np.inf, -np.inf
    signals = deconvolve(Waveforms(adc, SMALL))
    assert np.isfinite(signals.charge).all()
    assert signals.saturated[130] == 2


def test_a_saturated_pulse_is_a_hit_with_less_charge_and_its_samples_are_counted() -> None:
    signals = deconvolve(read(points((130, 200, 3e6))))
    hits = find_hits(signals, 50.0)
    assert signals.saturated[130] > 2
    assert signals.saturated[:130].sum() == 0
    assert 0 < hits.electrons[hits.channel == 130].max() < 2e6


def test_a_detector_that_is_all_dead_gives_no_hits_and_no_patches() -> None:
    signals = deconvolve(Waveforms(np.zeros((SMALL.channels, SMALL.ticks), np.uint16), SMALL))
    hits = find_hits(signals, 4.0)
    assert len(hits) == 0
    assert cut_patches(signals, hits).shape == (0, 48, 48)


def test_waveforms_of_another_detector_are_an_error_that_says_both_shapes() -> None:
    with pytest.raises(DataError, match=r"\(5, 400\) .* 160 channels and 400 ticks"):
        deconvolve(Waveforms(np.zeros((5, 400), np.uint16), SMALL))


@settings(max_examples=50)
@given(st.integers(0, 159), st.floats(3, 396))
def test_a_patch_is_48_by_48_around_its_hit(channel: int, tick: float) -> None:
    signals = flat(0.0)
    signals.charge[channel, 6 * (round(tick) // 6) : 6 * (round(tick) // 6) + 6] = UNIT / TICKS
    (patch,) = cut_patches(signals, hits_at((channel, tick)))
    assert patch.shape == (SIDE, SIDE) == (48, 48)
    assert patch.dtype == np.float32
    assert patch[CENTRE, CENTRE] == pytest.approx(1 if round(tick) < 396 else 4 / 6, rel=1e-5)
    wrapped = 2 if channel < 100 else 1  # no plane has 48 wires to show a charge twice
    assert np.count_nonzero(patch) <= wrapped


def test_a_patch_has_zeros_beyond_the_detector_and_goes_on_around_an_induction_plane() -> None:
    signals = flat(1000.0)
    first_x = SMALL.planes[2].first
    induction, collection = cut_patches(signals, hits_at((0, 200), (first_x, 200)))
    assert (induction[:CENTRE, CENTRE] > 0).all()
    assert not collection[:CENTRE].any()
    assert (collection[CENTRE:, CENTRE] > 0).all()
    early = cut_patches(signals, hits_at((first_x + 30, 3)))[0]
    assert not early[:, :CENTRE].any()


def test_patches_are_those_of_a_loop_over_the_hits(event: Reconstructed) -> None:
    patches = cut_patches(event.signals, event.hits)
    ticks = event.detector.ticks
    pixels = event.signals.charge.reshape(-1, ticks // TICKS, TICKS).sum(axis=2) / UNIT
    for number in range(0, len(event.hits), 97):
        channel, time = event.hits.channel[number], round(float(event.hits.tick[number])) // TICKS
        plane = next(each for each in event.detector.planes if each.first <= channel < each.first + each.wires)
        for row, step in enumerate(range(-CENTRE, CENTRE)):
            wire = channel - plane.first + step
            wire = wire % plane.wires if plane.wraps else wire
            for column in (0, CENTRE, SIDE - 1):
                at = time + column - CENTRE
                inside = 0 <= wire < plane.wires and 0 <= at < pixels.shape[1]
                expected = np.clip(pixels[plane.first + wire, at], -1, 8) if inside else 0
                assert patches[number, row, column] == pytest.approx(expected, abs=1e-5)


def test_the_truth_of_a_hit_is_the_kind_with_most_charge_near() -> None:
    key = np.array([10 * 400 + 200, 10 * 400 + 203, 10 * 400 + 300])
    electrons = np.array([5000, 9000, 9000], np.float32)
    arrivals = Arrivals(key, electrons, np.array([Kind.TRACK, Kind.MICHEL, Kind.SHOWER], np.int8))
    kinds = match(hits_at((10, 201), (10, 299), (10, 100), (11, 201)), arrivals, 400)
    assert kinds.tolist() == [Kind.MICHEL, Kind.SHOWER, NONE, NONE]


def test_most_hits_have_charge_behind_them_and_most_charge_has_hits(event: Reconstructed) -> None:
    kinds = match(event.hits, event.arrivals, event.detector.ticks)
    counts = np.bincount(kinds, minlength=4)
    assert counts[NONE] < 0.1 * len(kinds)
    assert (counts[:NONE] > 20).all()
    assert event.hits.electrons[kinds != NONE].sum() == pytest.approx(event.arrivals.electrons.sum(), rel=0.35)
