"""The steps of both track finders, and the finders on particles of known momenta."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid_modules.tracks import HitTruth
from eventbraid_modules.tracks.finders import NETWORKS
from eventbraid_modules.tracks.finding import TrackFinder, track_finder
from eventbraid_modules.tracks.finding.components import HITS_MIN, chains, components, numbered
from eventbraid_modules.tracks.finding.detector import RADII, checked
from eventbraid_modules.tracks.finding.doublets import Cylinders, doublets, helix, within
from eventbraid_modules.tracks.finding.features import EDGE_FEATURES, edge_features, joined
from eventbraid_modules.tracks.matching import match, momenta
from eventbraid_modules.tracks.simulation import crossings, simulate

sys.path.insert(0, str(Path(__file__).parent))
from gun import NOTHING, gun

EDGES = st.integers(1, 30).flatmap(
    lambda hits: st.tuples(st.just(hits), st.lists(st.tuples(*[st.integers(0, hits - 1)] * 2), max_size=40))
)


@pytest.fixture(params=["gnn", "rule"])
def finder(request: pytest.FixtureRequest) -> TrackFinder:
    """Each finder."""
    return track_finder(request.param, NETWORKS)


def same_tracks(one: np.ndarray, other: np.ndarray) -> bool:
    """True where the labels mean the same tracks, whatever their numbers."""
    pairs = np.unique(np.stack([one, other]), axis=1)
    numbers = len(np.unique(one)), len(np.unique(other))
    return numbers == (pairs.shape[1],) * 2 and np.array_equal(one < 0, other < 0)


@given(EDGES)
def test_components_are_what_edges_connect(graph: tuple[int, list[tuple[int, int]]]) -> None:
    hits, edges = graph
    one, other = (np.array([edge[end] for edge in edges], np.intp) for end in (0, 1))
    label = components(hits, one, other)
    reached = np.arange(hits)
    for _ in range(hits):  # the plain way: pass the lowest along, one edge at a time
        for a, b in edges:
            reached[a] = reached[b] = min(reached[a], reached[b])
    assert np.array_equal(label, reached)


def test_a_long_chain_is_one_component() -> None:
    order = np.random.default_rng(1).permutation(3000)
    assert (components(3000, order[:-1], order[1:]) == 0).all()


@given(EDGES, st.integers(0, 2**31))
def test_of_chains_no_hit_is_left_or_entered_twice_and_nothing_better_is_left_out(
    graph: tuple[int, list[tuple[int, int]]], seed: int
) -> None:
    _, edges = graph
    inner, outer = (np.array([edge[end] for edge in edges], np.intp) for end in (0, 1))
    score = np.random.default_rng(seed).random(len(edges)).astype(np.float32)
    taken = chains(inner, outer, score)
    expected: list[int] = []
    for edge in np.argsort(-score, kind="stable"):  # one after the other, the best first
        if inner[edge] not in inner[expected] and outer[edge] not in outer[expected]:
            expected.append(int(edge))
    assert sorted(taken.tolist()) == sorted(expected)


@given(st.lists(st.integers(-1, 6), max_size=60))
def test_tracks_are_numbered_in_order_and_short_ones_are_none(labels: list[int]) -> None:
    label = np.array(labels, np.intp)
    number = numbered(label)
    assert number.dtype == np.int64
    long = [each for each in dict.fromkeys(labels) if each >= 0 and labels.count(each) >= HITS_MIN]
    assert number.tolist() == [long.index(each) if each in long else -1 for each in labels]


@given(st.integers(0, 2**31), st.floats(-4, 4), st.floats(0, 1))
def test_a_window_in_phi_holds_what_is_in_it_around_the_circle(seed: int, middle: float, width: float) -> None:
    rng = np.random.default_rng(seed)
    phi = rng.uniform(-np.pi, np.pi, 40)
    middle = (middle + np.pi) % (2 * np.pi) - np.pi
    position = np.stack([RADII[2] * np.cos(phi), RADII[2] * np.sin(phi), 0 * phi], axis=1).astype(np.float32)
    hits = Cylinders.of(position, checked(position))
    asked, found = within(hits.rows[2], np.array([middle - width]), np.array([middle + width]))
    distance = np.abs(np.mod(hits.phi - middle + np.pi, 2 * np.pi) - np.pi)
    assert sorted(found.tolist()) == np.flatnonzero(distance < width).tolist()
    assert (asked == 0).all()


@given(st.floats(0.5, 50), st.floats(-1.9, 1.9), st.floats(-3, 3), st.sampled_from([-1, 1]), st.floats(-15, 15))
def test_a_helix_through_two_hits_is_that_of_the_particle(
    pt: float, eta: float, phi: float, charge: int, z: float
) -> None:
    columns = (np.array([each], np.float64) for each in (charge, pt, eta, phi, z))
    x, y, height = crossings(*columns, np.random.default_rng(1), 0.0)[0].T
    angle = np.arctan2(y, x)
    ends = [(each[3:5], each[6:8]) for each in (angle, height, RADII)]
    curvature, slope, place = helix(*ends)
    assert np.allclose(curvature, -charge * 0.006 / pt, rtol=0.02, atol=2e-5)
    assert np.allclose(slope, np.sinh(eta), rtol=0.01, atol=0.01)
    assert np.allclose(place, z, atol=0.05)


def test_nearly_all_neighbouring_hits_of_a_particle_are_a_doublet() -> None:
    hits, truth = simulate(gun(np.random.default_rng(1), 300), 5, np.random.default_rng(1))
    layer = checked(hits.position)
    pairs = doublets(Cylinders.of(hits.position, layer))
    found = set(zip(pairs.inner.tolist(), pairs.outer.tolist(), strict=True))
    order = np.lexsort((layer, truth.particle))
    same = (truth.particle[order][1:] == truth.particle[order][:-1]) & (truth.particle[order][1:] >= 0)
    near = same & (layer[order][1:] - layer[order][:-1] <= 2)
    wanted = list(zip(order[:-1][near].tolist(), order[1:][near].tolist(), strict=True))
    assert len(wanted) > 2500
    assert sum(each in found for each in wanted) > 0.99 * len(wanted)
    assert (layer[pairs.outer] > layer[pairs.inner]).all()


def test_doublets_are_joined_where_one_ends_and_the_other_begins() -> None:
    hits, _ = simulate(gun(np.random.default_rng(1), 20), 1, np.random.default_rng(1), noise=5)
    pairs = doublets(Cylinders.of(hits.position, checked(hits.position)))
    one, other = joined(pairs)
    assert np.array_equal(pairs.outer[one], pairs.inner[other])
    expected = sum(int(np.count_nonzero(pairs.inner == hit)) for hit in pairs.outer)
    assert len(one) == expected > 100


def test_features_are_finite_and_of_the_order_of_one() -> None:
    hits, _ = simulate(gun(np.random.default_rng(1), 200), 5, np.random.default_rng(1))
    layer = checked(hits.position)
    pairs = doublets(Cylinders.of(hits.position, layer))
    features = edge_features(pairs, layer)
    assert features.shape == (len(pairs), EDGE_FEATURES) == (len(pairs), 8)
    assert features.dtype == np.float32
    assert np.abs(features).max() < 2


def test_a_finder_finds_separate_particles_whole(finder: TrackFinder) -> None:
    hits, truth = simulate(gun(np.random.default_rng(3), 12, low=1.0), 1, np.random.default_rng(3), 0.0, 1.0)
    assert same_tracks(finder(hits.position), truth.particle)


def test_a_finder_finds_most_of_many_particles_and_makes_few_up(finder: TrackFinder) -> None:
    hits, truth = simulate(gun(np.random.default_rng(5), 300), 20, np.random.default_rng(5))
    found = match(finder(hits.position), truth)
    assert np.count_nonzero(found.found) > 0.97 * len(found.found)
    assert found.fake.mean() < 0.03
    assert found.duplicate.mean() < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_hits_tells_nothing(finder: TrackFinder, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hits, _ = simulate(gun(rng, 30), 2, rng, noise=3)
    order = rng.permutation(len(hits))
    shuffled = finder(np.ascontiguousarray(hits.position[order]))
    assert shuffled.max() > 20
    assert same_tracks(finder(hits.position)[order], shuffled)


@pytest.mark.parametrize("noise", [0.0, 0.1, 2.0, 20.0])
def test_noise_alone_has_no_tracks(finder: TrackFinder, noise: float) -> None:
    hits, _ = simulate(NOTHING, 1, np.random.default_rng(1), noise=noise)
    label = finder(hits.position)
    assert label.dtype == np.int64
    assert label.tolist() == [-1] * len(hits)


def test_an_event_without_hits_has_no_labels(finder: TrackFinder) -> None:
    assert finder(np.empty((0, 3), np.float32)).shape == (0,)


def test_hits_that_are_not_finite_are_an_error_that_names_them(finder: TrackFinder) -> None:
    hits, _ = simulate(gun(np.random.default_rng(1), 5), 1, np.random.default_rng(1))
    hits.position[[7, 9], 2] = np.nan, np.inf
    with pytest.raises(ValueError, match="hits 7, 9 are not finite"):
        finder(hits.position)


def test_an_unknown_finder_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no track finder 'kalman': there is 'gnn' and 'rule'"):
        track_finder("kalman", NETWORKS)


def test_matching_asks_for_more_than_half_of_both() -> None:
    particle = np.array([0] * 10 + [1] * 10 + [2] * 10 + [-1] * 6, np.int32)
    columns = (np.full(3, each, np.float32) for each in (1.0, 0.5, 0.0))
    label = np.full(36, -1)
    label[:6] = 0  # six of ten: found
    label[10:15], label[15:20] = 1, 2  # halves are no majority, and both tracks are fakes
    label[20:28] = 3  # found
    label[30:36] = 4  # noise
    found = match(label, HitTruth(particle, *columns))
    assert found.found.tolist() == [1, 0, 1]
    assert found.fake.tolist() == [False, True, True, False, True]
    assert not found.duplicate.any()


def test_particles_outside_the_acceptance_are_not_asked_for_and_make_no_fakes() -> None:
    particle = np.repeat(np.arange(2, dtype=np.int32), [10, 4])
    columns = [np.array(each, np.float32) for each in ([1.0, 1.0], [2.2, 0.0], [0.0, 0.0])]
    found = match(particle.astype(np.int64), HitTruth(particle, *columns))
    assert len(found.found) == 0
    assert found.fake.tolist() == [False, False]


def test_the_momenta_of_tracks_are_nearly_those_of_their_particles() -> None:
    hits, truth = simulate(gun(np.random.default_rng(3), 40), 1, np.random.default_rng(3), 0.0)
    pt, eta = momenta(truth.particle.astype(np.int64), hits)
    assert pt.shape == (40,)
    assert np.median(np.abs(pt / truth.pt - 1)) < 0.02
    assert np.median(np.abs(eta - truth.eta)) < 0.01


def test_no_tracks_have_no_momenta() -> None:
    hits, _ = simulate(NOTHING, 1, np.random.default_rng(3))
    assert [each.shape for each in momenta(np.full(len(hits), -1), hits)] == [(0,), (0,)]
