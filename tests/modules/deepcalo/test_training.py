"""The training, where torch is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from eventbraid.serving import Repository
from eventbraid_modules import training
from eventbraid_modules.deepcalo import train_deepcalo
from eventbraid_modules.deepcalo.network import LAYERS, parameters
from eventbraid_modules.deepcalo.sample import draw_sample

torch = pytest.importorskip("torch", reason="training needs torch")


def test_the_torch_network_has_the_parameters_of_the_table() -> None:
    network = train_deepcalo.network(torch)
    assert training.parameters(network) == parameters() == 1_834_721
    weights = [tuple(each.shape) for each in network.parameters() if each.dim() > 1]
    assert weights == [
        (layer.outputs, layer.inputs, layer.kernel, layer.kernel) if layer.kernel else (layer.outputs, layer.inputs)
        for layer in LAYERS
    ]


def test_training_begins_with_the_sum_of_all_cells() -> None:
    pixels = draw_sample(5, 3).pixels
    found = train_deepcalo.find(train_deepcalo.network(torch).eval(), pixels)
    assert found == pytest.approx(pixels.sum(axis=(1, 2, 3)), rel=1e-5)


def test_training_twice_gives_the_same_weights_and_no_longer_the_first() -> None:
    sample = draw_sample(256, 1)
    first, second = (train_deepcalo.train(sample, epochs=1) for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.layers[-1].weight, torch.zeros_like(first.layers[-1].weight))


def test_the_builder_writes_the_trained_network_as_a_model(tmp_path: Path) -> None:
    train_deepcalo.build(tmp_path / "deepcalo", electrons=128, epochs=1)
    (entry,) = Repository.open([tmp_path]).models
    assert (entry.name, entry.batches, entry.max_batch_size) == ("deepcalo", True, 500)
    file = tmp_path / "deepcalo/1/model.onnx"
    shapes = {each.name: list(each.dims) for each in onnx.load(file).graph.initializer}
    assert [256, 2304] in shapes.values()
    pixels = draw_sample(4, 3).pixels
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(["energy"], {"image": pixels})
    again = train_deepcalo.train(draw_sample(128, 1), epochs=1)
    assert np.allclose(found[:, 0], train_deepcalo.find(again, pixels), rtol=1e-3)
