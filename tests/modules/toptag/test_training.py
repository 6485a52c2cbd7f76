"""The training, where torch is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from eventbraid_modules import training
from eventbraid_modules.toptag import train_toptag
from eventbraid_modules.toptag.model import he_weights, to_onnx, write
from eventbraid_modules.toptag.network import RESNET50, TOPTAG, Network
from eventbraid_modules.toptag.performance import area
from eventbraid_modules.toptag.sample import Sample

torch = pytest.importorskip("torch", reason="training needs torch")


def sample(count: int = 160) -> Sample:
    """Images that a network can tell apart: of tops, three times as many pixels are hit."""
    rng = np.random.default_rng(1)
    top = rng.random(count) < 0.5
    hit = rng.random((count, 3, 32, 32)) < np.where(top, 0.06, 0.02)[:, None, None, None]
    return Sample(np.where(hit, rng.random(hit.shape), 0).astype(np.float32), top)


@pytest.mark.parametrize("network", [RESNET50, TOPTAG], ids=lambda network: network.name)
def test_the_torch_network_has_the_parameters_of_the_table(network: Network) -> None:
    made = train_toptag.module(torch, network)
    assert training.parameters(made) == network.parameters


def test_onnx_and_torch_give_the_same_scores_after_some_training() -> None:
    model = train_toptag.train(sample(), epochs=1)
    found = train_toptag.weights(model, TOPTAG)
    file = to_onnx(TOPTAG, found).SerializeToString()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    pixels = sample(20).pixels
    (scores,) = session.run(["score"], {"image": pixels})
    assert scores[:, 0] == pytest.approx(train_toptag.find(model, pixels), abs=1e-5)
    assert not np.array_equal(found["stem.mean"], he_weights(TOPTAG)["stem.mean"])


def test_training_twice_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write(TOPTAG, train_toptag.weights(train_toptag.train(sample(), epochs=1), TOPTAG), tmp_path / name)
    assert (tmp_path / "one/1/model.onnx").read_bytes() == (tmp_path / "other/1/model.onnx").read_bytes()


def test_training_learns_what_can_be_told_apart() -> None:
    model = train_toptag.train(sample(640), epochs=2)
    truth, scores = sample(640).top, train_toptag.find(model, sample(640).pixels)
    assert area(scores[truth], scores[~truth]) > 0.95
