"""What made each hit: the network's shape, the rule of geometry, the figures of merit."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventbraid import Job
from eventbraid.errors import MissingExtra
from eventbraid.serving import Repository, known_repositories
from eventbraid.testing import ListSource
from eventbraid_modules.protodune import IdentificationStudy, Kind
from eventbraid_modules.protodune.identification import SCORES, classify, shape_of
from eventbraid_modules.protodune.network import CLASSES, LAYERS, MAPS, PARAMETERS
from eventbraid_modules.protodune.patches import CENTRE, SIDE, cut_patches
from eventbraid_modules.protodune.study import confusion, michel_area, michel_curve
from eventbraid_modules.protodune.train_emtrackmichelid import SEED, build, sample, train, write
from eventbraid_modules.protodune.truth import NONE

if TYPE_CHECKING:
    from conftest import Reconstructed

NAME = "emtrackmichelid"
TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not TORCH, reason="training needs torch")


def weights(file: Path) -> list[tuple[int, ...]]:
    """The shapes of a network's weights and biases, but those of one number a filter's."""
    initializers = onnx.load(str(file)).graph.initializer
    return [tuple(each.dims) for each in initializers if each.data_type == onnx.TensorProto.FLOAT]


def parameters(file: Path) -> int:
    return sum(prod(shape) for shape in weights(file))


def session(repository: Path) -> onnxruntime.InferenceSession:
    file = repository / NAME / "1/model.onnx"
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def built() -> Path | None:
    """The repository with the trained network, where it was built."""
    return next((folder for folder in known_repositories() if (folder / NAME).exists()), None)


def test_the_network_has_the_papers_11900420_parameters() -> None:
    assert MAPS == (48, 44, 44)
    sizes = [prod(shape) + shape[0] for shape in LAYERS.values()]
    assert sizes == [1_248, 11_894_912, 4_128, 99, 33]
    assert sum(sizes) == PARAMETERS == 11_900_420


def test_a_network_of_that_table_is_a_model_without_faults(untrained: Path) -> None:
    assert parameters(untrained / NAME / "1/model.onnx") == 11_900_420
    repository, faults = Repository.survey([untrained])
    assert not faults
    (entry,) = repository.models
    assert [list(spec.shape) for spec in entry.metadata.inputs] == [[-1, 48, 48, 1]]
    assert {spec.name: list(spec.shape) for spec in entry.metadata.outputs} == {
        "track_em_none": [-1, 3],
        "michel": [-1, 1],
    }


def test_a_patch_has_the_same_scores_in_a_batch_of_any_size(untrained: Path) -> None:
    network = session(untrained)
    patches = np.random.default_rng(1).random((235, SIDE, SIDE, 1), np.float32)
    classes, michel = network.run(["track_em_none", "michel"], {"patches": patches})
    assert np.allclose(classes.sum(axis=1), 1, atol=1e-5)
    assert ((michel >= 0) & (michel <= 1)).all()
    (few,) = network.run(["track_em_none"], {"patches": patches[:3]})
    assert np.allclose(few, classes[:3], atol=1e-5)


@pytest.mark.slow
def test_patches_take_less_than_a_twentieth_of_the_networks_time(untrained: Path, event: Reconstructed) -> None:
    network = session(untrained)
    patches = cut_patches(event.signals, event.hits)[:235, ..., None]
    cutting = least_seconds(lambda: cut_patches(event.signals, event.hits)) / len(event.hits)
    assert cutting < 0.05 * least_seconds(lambda: network.run(["michel"], {"patches": patches})) / len(patches)


def least_seconds(call: Callable[[], object]) -> float:
    """CPU time of a call, the least of five."""
    found = []
    for _ in range(5):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.skipif(built() is None, reason="`eventbraid models build emtrackmichelid` was not run")
def test_the_trained_network_beats_the_rule_on_hits_that_neither_has_seen() -> None:
    repository = built()
    assert repository is not None
    assert parameters(repository / NAME / "1/model.onnx") == PARAMETERS
    patches, kinds = sample(12, SEED + 2)
    found = session(repository).run(["track_em_none", "michel"], {"patches": patches[..., None]})
    network, rule = np.concatenate(found, axis=1), classify(patches)
    shares = [_diagonal(confusion(scores, kinds)[:2, :2]) for scores in (network, rule)]
    assert shares[0] > 0.87
    assert shares[0] > shares[1] + 0.05
    assert michel_area(michel_curve(network, kinds)) > 0.88
    for ours, others in zip(_michels(network, kinds), _michels(rule, kinds), strict=True):
        assert ours > others


def _michels(scores: Any, kinds: Any) -> tuple[float, float]:
    """Efficiency and purity for Michel electrons at a score of 0.5."""
    found, michel = scores[:, -1] > 0.5, kinds == Kind.MICHEL
    return (found & michel).sum() / michel.sum(), (found & michel).sum() / found.sum()


def _diagonal(matrix: Any) -> float:
    return float(np.mean(np.diag(matrix) / matrix.sum(axis=1)))


def line(slope: float) -> Any:
    """A patch of a track through its hit."""
    patch = np.zeros((SIDE, SIDE), np.float32)
    for wire in range(SIDE):
        time = round(CENTRE + slope * (wire - CENTRE))
        if 0 <= time < SIDE:
            patch[wire, time] = 1
    return patch


@given(st.floats(-1, 1))
def test_a_line_is_a_track_by_the_rule(slope: float) -> None:
    (scores,) = classify(line(slope)[None])
    assert SCORES[int(scores[:3].argmax())] == "track"
    assert scores[3] < 0.1


def test_a_cloud_is_a_shower_and_nothing_is_none_by_the_rule() -> None:
    rng = np.random.default_rng(1)
    cloud = (rng.random((SIDE, SIDE)) < 0.15).astype(np.float32)
    cloud[CENTRE, CENTRE] = 1
    noise = 0.01 * rng.standard_normal((SIDE, SIDE), np.float32)
    scores = classify(np.stack([cloud, noise]))
    assert [CLASSES[number] for number in scores[:, :3].argmax(axis=1)] == ["em", "none"]
    assert (scores[:, 3] < 0.2).all()


def test_a_bend_after_a_dense_end_is_a_michel_electron_by_the_rule() -> None:
    patch = np.zeros((SIDE, SIDE), np.float32)
    patch[:CENTRE, CENTRE - 4] = 1.2
    patch[CENTRE - 4 : CENTRE, CENTRE - 4] = 3.5
    for step in range(-4, 5):
        patch[CENTRE, CENTRE + step] = 1
    (scores,) = classify(patch[None])
    assert scores[3] > 0.5


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.floats(0, 8))
def test_scores_by_rule_are_shares_whatever_the_patch(seed: int, scale: float) -> None:
    patches = np.random.default_rng(seed).normal(0, scale, (5, SIDE, SIDE)).astype(np.float32)
    scores = classify(patches)
    assert scores.shape == (5, 4)
    assert scores.dtype == np.float32
    assert np.allclose(scores[:, :3].sum(axis=1), 1, atol=1e-5)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_no_patches_have_no_scores() -> None:
    assert classify(np.empty((0, SIDE, SIDE), np.float32)).shape == (0, 4)


def test_the_spread_of_a_line_is_0_and_its_middle_is_the_hit() -> None:
    ratio, pixels, off = shape_of(line(0.0)[None], 8)
    assert ratio[0] == pytest.approx(0, abs=1e-3)
    assert pixels[0] == 17
    assert off[0] == pytest.approx(0, abs=1e-5)


def test_the_rule_is_far_better_than_chance_on_simulated_hits() -> None:
    patches, kinds = sample(6, SEED + 3)
    matrix = confusion(classify(patches), kinds)
    assert matrix.sum() == len(kinds) > 200
    assert _diagonal(matrix) > 0.65


def test_the_study_counts_the_confusion_matrix_and_michel_electrons() -> None:
    kinds = np.array([Kind.TRACK, Kind.TRACK, Kind.SHOWER, Kind.MICHEL, Kind.MICHEL, NONE], np.int8)
    scores = np.array(
        [[1, 0, 0, 0], [0, 1, 0, 0.9], [0, 1, 0, 0.1], [0, 1, 0, 0.95], [0, 1, 0, 0.2], [0, 0, 1, 0]], np.float32
    )
    assert confusion(scores, kinds).tolist() == [[1, 1, 0], [0, 3, 0], [0, 0, 1]]
    assert michel_curve(scores, kinds).sum(axis=1).tolist() == [4, 2]
    source = ListSource([{"scores": scores, "kinds": kinds}, {"scores": scores, "kinds": kinds}])
    study = IdentificationStudy(scores="scores", kinds="kinds", threshold=0.5)
    figures = Job("t", source=source, modules={"study": study}).run().figures["study"]
    assert figures["hits"] == 12
    assert figures["track as em, %"] == 50
    assert figures["em as em, %"] == 100
    assert figures["mean of the diagonal, %"] == pytest.approx(100 * 2.5 / 3)
    assert figures["Michel hits"] == 4
    assert figures["Michel efficiency, %"] == 50
    assert figures["Michel purity, %"] == 50
    assert figures["best Michel efficiency x purity, %"] == pytest.approx(200 / 3)
    assert figures["Michel, area under the ROC curve, %"] == pytest.approx(100 * 7 / 8)


def test_the_study_of_no_hits_is_all_zero() -> None:
    empty = {"scores": np.empty((0, 4), np.float32), "kinds": np.empty(0, np.int8)}
    study = IdentificationStudy(scores="scores", kinds="kinds")
    figures = Job("t", source=ListSource([empty]), modules={"study": study}).run().figures["study"]
    assert set(figures.values()) == {0}


@pytest.mark.skipif(TORCH, reason="torch is installed")
def test_building_without_torch_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="eventbraid\\[training\\]"):
        build(tmp_path)


@pytest.fixture(scope="session")
def lines() -> tuple[Any, Any]:
    """Patches of straight tracks and of noise, and what made them."""
    rng = np.random.default_rng(1)
    tracks = np.stack([line(slope) for slope in rng.uniform(-1, 1, 256)])
    noise = 0.05 * rng.standard_normal((256, SIDE, SIDE), np.float32)
    return np.concatenate([tracks, noise]), np.repeat([Kind.TRACK, NONE], 256).astype(np.int8)


@needs_torch
@pytest.mark.slow
def test_training_learns_and_what_is_written_gives_the_networks_own_scores(
    tmp_path: Path, lines: tuple[Any, Any]
) -> None:
    import torch

    from eventbraid_modules import training

    patches, kinds = lines
    network = train(patches, kinds, epochs=4)
    assert training.parameters(network) == PARAMETERS
    some = patches[::8, ..., None]
    with torch.no_grad():
        own = torch.cat(network(torch.from_numpy(some)), 1).numpy()
    track, none = (own[kinds[::8] == kind, 0].mean() for kind in (Kind.TRACK, NONE))
    assert track > none + 0.1
    write(network, tmp_path / NAME)
    assert parameters(tmp_path / NAME / "1/model.onnx") == PARAMETERS
    assert not Repository.survey([tmp_path])[1]
    found = session(tmp_path).run(["track_em_none", "michel"], {"patches": some})
    assert np.allclose(np.concatenate(found, axis=1), own, atol=1e-5)


@needs_torch
@pytest.mark.slow
def test_training_gives_the_same_weights_again(lines: tuple[Any, Any]) -> None:
    import torch

    patches, kinds = lines
    first, again = (train(patches[::2], kinds[::2], epochs=2).parameters() for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
