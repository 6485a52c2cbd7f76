"""What the networks learn from, and the figures and the picture of what they find."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from eventbraid_modules.tracks.finding.graph_network import FILTER_CUT
from eventbraid_modules.tracks.hits import Hits, HitTruth
from eventbraid_modules.tracks.matching import Match
from eventbraid_modules.tracks.performance import Score
from eventbraid_modules.tracks.picture import Measured, draw
from eventbraid_modules.tracks.simulation import simulate
from eventbraid_modules.tracks.train_tracks import graph_of, neighbours, together, train_filter, train_graph

sys.path.insert(0, str(Path(__file__).parent))
from gun import gun


def event(seed: int, particles: int = 60) -> tuple[Hits, HitTruth]:
    """A simulated event."""
    rng = np.random.default_rng(seed)
    return simulate(gun(rng, particles), 3, rng)


def test_the_next_hit_of_a_particle_is_its_neighbour_outwards() -> None:
    truth = HitTruth(np.array([0, 1, 0, -1, 1, 0, -1], np.int32), *[np.ones(2, np.float32)] * 3)
    layer = np.array([4, 0, 1, 0, 3, 7, 1])
    assert neighbours(truth, layer).tolist() == [5, 4, 0, -1, -1, -1, -1]


def test_a_graph_has_nearly_all_true_pairs_among_false_ones() -> None:
    hits, truth = event(1)
    graph = graph_of(hits, truth)
    assert graph.nodes.shape == (len(hits), 2)
    assert graph.edges.shape == (len(graph.true), 8)
    following = np.count_nonzero(neighbours(truth, hits.layer.astype(np.intp)) >= 0)
    assert 0.99 * following < graph.true.sum() <= following
    assert graph.true.mean() < 0.6


def test_graphs_together_are_not_connected() -> None:
    first, second = graph_of(*event(1)), graph_of(*event(2))
    both = together([first, second])
    assert len(both.nodes) == len(first.nodes) + len(second.nodes)
    cut = len(first.true)
    assert both.inner[:cut].max() < len(first.nodes) <= min(both.inner[cut:].min(), both.outer[cut:].min())
    assert np.array_equal(both.outer[cut:] - len(first.nodes), second.outer)


@pytest.mark.slow
def test_networks_learn_from_a_few_events_to_tell_true_pairs_from_false_ones() -> None:
    torch = pytest.importorskip("torch")
    seen, unseen = [graph_of(*event(seed, 200)) for seed in range(8)], graph_of(*event(99, 200))
    first = train_filter(seen, 40)
    with torch.no_grad():
        score = torch.sigmoid(first(torch.from_numpy(unseen.edges))).numpy()
    kept = unseen.kept(score > FILTER_CUT)
    assert kept.true.sum() > 0.97 * unseen.true.sum()
    assert len(kept.true) < 0.8 * len(unseen.true)
    second = train_graph(seen, 10)
    inputs = (torch.from_numpy(each) for each in (kept.nodes, kept.edges, kept.inner, kept.outer))
    with torch.no_grad():
        found = second(*inputs).numpy() > 0
    assert np.mean(found == (kept.true > 0)) > 0.9


def measured(seed: int) -> list[Measured]:
    """Invented results of some events."""
    rng = np.random.default_rng(seed)
    pt, eta = rng.uniform(0.3, 20, 50).astype(np.float32), rng.uniform(-2, 2, 50).astype(np.float32)
    return [Measured(Match(pt, eta, rng.integers(0, 2, 50), *(rng.random((2, 40)) < 0.2)), pt[:40], eta[:40])]


def test_a_score_counts_all_events_together() -> None:
    few = Match(
        *(np.array(each, np.float32) for each in ([1.0, 0.4], [0.0, 0.0])), np.array([1, 1]), *np.zeros((2, 2), bool)
    )
    many = Match(
        np.ones(3, np.float32), np.zeros(3, np.float32), np.array([2, 0, 0]), np.arange(6) < 3, np.arange(6) == 4
    )
    score = Score.of([few, many])
    assert (score.particles, score.tracks) == (4, 8)
    assert (score.efficiency, score.fakes, score.duplicates) == (0.5, 3 / 8, 1 / 8)


def test_the_picture_is_drawn_for_two_occupancies(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw({(name, pileup): measured(pileup) for name in ("gnn", "rule") for pileup in (0, 20)}, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
