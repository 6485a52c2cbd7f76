"""What a jet is of, and the figures of merit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from handmade import of_rows

from eventbraid import Job, ModuleError
from eventbraid.testing import ListSource
from eventbraid_modules.collisions import Tops
from eventbraid_modules.toptag import TaggingPerformance, TopScores
from eventbraid_modules.toptag.jets import FatJets, find_fat_jets
from eventbraid_modules.toptag.performance import area, false_positives, figures_of, holds_top
from eventbraid_modules.toptag.picture import draw, roc
from eventbraid_modules.toptag.sample import Sample

SCORES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=25).map(np.array)


def tops(*places: tuple[float, float]) -> Tops:
    eta, phi = np.array(places, np.float32).reshape(-1, 2).T
    return Tops(np.full(len(eta), 500, np.float32), eta, phi)


def jets(*places: tuple[float, float]) -> FatJets:
    return find_fat_jets(of_rows([(500.0 - n, eta, phi) for n, (eta, phi) in enumerate(places)]))


def test_a_jet_within_06_of_a_top_quark_is_its_own_across_the_seam_too() -> None:
    found = holds_top(jets((0, 3.0), (0.0, 1.0), (2.0, 1.0)), tops((0.1, -3.0), (0.0, 1.61), (2.3, 1.5)))
    assert found.tolist() == [True, False, True]
    assert holds_top(jets((0, 1)), tops()).tolist() == [False]
    assert holds_top(jets(), tops((0, 1))).shape == (0,)


@given(SCORES, SCORES)
def test_the_area_is_how_often_a_signal_scores_higher(signal: np.ndarray, background: np.ndarray) -> None:
    pairs = signal[:, None] - background
    assert area(signal, background) == pytest.approx(np.mean((pairs > 0) + (pairs == 0) / 2))


@given(SCORES, SCORES, st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_at_least_that_share_of_the_signal_is_kept_and_no_more_than_it_takes(
    signal: np.ndarray, background: np.ndarray, efficiency: float
) -> None:
    kept = false_positives(signal, background, efficiency)
    thresholds = [each for each in range(8) if np.mean(signal >= each) >= efficiency]
    assert kept == pytest.approx(np.mean(background >= max(thresholds)))


def test_figures_of_scores_that_tell_all_apart_say_how_much_they_are_of() -> None:
    truth = np.arange(30) < 10
    figures = figures_of(truth.astype(float), truth)
    assert figures == {
        "jets": 30,
        "jets of top quarks": 10,
        "area under the ROC curve": 1.0,
        "rejection at 50 % efficiency": "more than 20",
    }
    assert figures_of(np.linspace(1, 0, 30), np.arange(30) % 3 == 0)["rejection at 50 % efficiency"] == pytest.approx(
        2.5
    )


def test_figures_of_one_kind_alone_are_counts() -> None:
    assert figures_of(np.ones(4), np.ones(4, bool)) == {"jets": 4, "jets of top quarks": 4}
    assert figures_of(np.ones(0), np.ones(0, bool)) == {"jets": 0, "jets of top quarks": 0}


def analysed(scores: np.ndarray) -> object:
    event = {"fatJets": jets((0, 1), (1, -1)), "scores": TopScores(scores), "tops": tops((0, 1))}
    return Job("t", source=ListSource([event]), modules={"p": TaggingPerformance()}).run().figures["p"]


def test_the_analyzer_compares_scores_with_the_truth() -> None:
    found = analysed(np.float32([0.9, 0.2]))
    assert isinstance(found, dict)
    assert found["area under the ROC curve"] == 1


@pytest.mark.parametrize(
    ("scores", "told"),
    [([0.5], r"2 jets have scores of shape \[1\]"), ([0.5, np.nan], "jet 1 has a score that is no number")],
)
def test_scores_that_are_none_of_the_jets_are_told(scores: list[float], told: str) -> None:
    with pytest.raises(ModuleError, match=told):
        analysed(np.float32(scores))


def test_a_job_without_events_has_figures_without_rejection() -> None:
    source = ListSource([], products=["fatJets", "scores", "tops"])
    figures = Job("t", source=source, modules={"p": TaggingPerformance()}).run().figures["p"]
    assert figures == {"jets": 0, "jets of top quarks": 0}


@given(SCORES, SCORES)
def test_the_curve_has_the_area_and_ends_where_all_are_kept(signal: np.ndarray, background: np.ndarray) -> None:
    truth = np.repeat([True, False], [len(signal), len(background)])
    efficiency, mistake = roc(np.concatenate([signal, background]), truth)
    assert (efficiency[-1], mistake[-1]) == (1, 1)
    kept, mistaken = np.append(0, efficiency), np.append(0, mistake)
    under = np.sum(np.diff(mistaken) * (kept[1:] + kept[:-1]) / 2)
    assert under == pytest.approx(area(signal, background))


def test_the_picture_shows_both_curves(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(1)
    top = rng.random(60) < 0.5
    sample = Sample(rng.random((60, 3, 32, 32), np.float32), top)
    draw(sample, {"one": rng.random(60) + top, "other": rng.random(60)}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
