"""The networks' numbers beside those of the papers, and their models."""

from __future__ import annotations

import importlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from eventbraid.serving import Repository
from eventbraid_modules.toptag.model import build_resnet50, config, he_weights, to_onnx, write
from eventbraid_modules.toptag.network import RESNET50, TOPTAG, Layer, Network
from eventbraid_modules.toptag.train_toptag import MODEL, build

NETWORKS = pytest.mark.parametrize("network", [RESNET50, TOPTAG], ids=lambda network: network.name)


def session(model: Any, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def images(count: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.where(rng.random((count, 3, size, size)) < 0.03, rng.random((count, 3, size, size)), 0).astype(np.float32)


def test_resnet50_has_23_million_parameters_and_50_layers_as_in_table_1() -> None:
    assert RESNET50.parameters == 23_510_081
    assert round(RESNET50.parameters - 500_000, -6) == 23_000_000
    assert RESNET50.depth == 50
    convolutions = [layer for layer in RESNET50.layers if layer.kernel and not layer.name.endswith("project")]
    assert len(convolutions) == 49  # section 4.3
    assert sorted({layer.kernel for layer in convolutions}) == [1, 3, 7]


def test_resnet50_is_the_standard_one_but_for_its_1000_classes() -> None:
    classes = replace(RESNET50, head=replace(RESNET50.head, outputs=1000))
    assert classes.parameters == 25_557_032


def test_a_batch_of_ten_takes_39_billion_multiplications_as_in_table_1() -> None:
    assert round(10 * RESNET50.multiplications / 1e9) == 39


def test_resnet50_has_the_stages_of_he_et_al() -> None:
    stages: dict[str, list[Layer]] = {}
    for block in RESNET50.blocks:
        stages.setdefault(block.expand.name.partition(".")[0], []).append(block.expand)
    found = {name: (len(each), each[0].outputs, each[0].size) for name, each in stages.items()}
    assert found == {
        "stage1": (3, 256, 56),
        "stage2": (4, 512, 28),
        "stage3": (6, 1024, 14),
        "stage4": (3, 2048, 7),
    }
    assert (RESNET50.stem.kernel, RESNET50.stem.stride, RESNET50.stem.size) == (7, 2, 112)


def test_the_shipped_network_has_the_parameters_of_its_table() -> None:
    assert TOPTAG.parameters == 54_961
    assert TOPTAG.depth == 17
    tensors = onnx.load(MODEL / "1/model.onnx").graph.initializer
    shapes = {each.name: tuple(each.dims) for each in tensors}
    assert {layer.name: shapes[f"{layer.name}.weight"] for layer in TOPTAG.layers} == {
        layer.name: layer.shape for layer in TOPTAG.layers
    }
    trained = [each for each in tensors if each.name.rsplit(".")[-1] in ("weight", "scale", "shift")]
    assert sum(int(np.prod(each.dims)) for each in trained) == TOPTAG.parameters


def test_the_shipped_model_is_small_and_has_the_configuration_of_its_table() -> None:
    assert (MODEL / "1/model.onnx").stat().st_size < 400_000
    assert (MODEL / "config.pbtxt").read_text() == config(TOPTAG)


@NETWORKS
def test_every_layer_takes_what_the_one_before_gives(network: Network) -> None:
    channels, size = network.stem.outputs, network.stem.size // 2
    for block in network.blocks:
        assert block.reduce.inputs == channels
        assert block.spatial.inputs == block.reduce.outputs
        assert block.expand.inputs == block.spatial.outputs
        size //= block.reduce.stride
        assert block.reduce.size == block.spatial.size == block.expand.size == size
        if block.project is None:
            assert (block.expand.outputs, block.reduce.stride) == (channels, 1)
        else:
            assert (block.project.inputs, block.project.outputs) == (channels, block.expand.outputs)
            assert (block.project.stride, block.project.size) == (block.reduce.stride, size)
        channels = block.expand.outputs
    assert network.head.inputs == channels


@pytest.mark.parametrize(
    "network", [TOPTAG, pytest.param(RESNET50, marks=pytest.mark.slow)], ids=lambda each: each.name
)
def test_the_sizes_of_the_table_are_those_that_onnx_finds(network: Network) -> None:
    made = onnx.shape_inference.infer_shapes(to_onnx(network, he_weights(network)))
    found = {each.name: [size.dim_value for size in each.type.tensor_type.shape.dim] for each in made.graph.value_info}
    convolutions = {
        node.input[1].removesuffix(".weight"): node.output[0] for node in made.graph.node if node.op_type == "Conv"
    }
    assert {name: found[output][1:] for name, output in convolutions.items()} == {
        layer.name: [layer.outputs, layer.size, layer.size] for layer in network.layers if layer.kernel
    }


def test_scores_of_the_shipped_network_do_not_depend_on_the_batch_they_are_in() -> None:
    for threads in (1, 2):
        shipped = session(MODEL / "1/model.onnx", threads)
        pixels = images(30, 32)
        (whole,) = shipped.run(["score"], {"image": pixels})
        for rows in (1, 2, 5, 7, 15):
            parts = [shipped.run(["score"], {"image": pixels[at : at + rows]})[0] for at in range(0, 30, rows)]
            assert np.array_equal(np.concatenate(parts), whole)


def test_an_untrained_network_gives_scores_that_differ_from_image_to_image() -> None:
    small = replace(RESNET50, blocks=RESNET50.blocks[:4])
    small = replace(small, head=replace(small.head, inputs=small.blocks[-1].expand.outputs))
    (scores,) = session(to_onnx(small, he_weights(small)).SerializeToString()).run(["score"], {"image": images(3, 224)})
    assert scores.shape == (3, 1)
    assert ((scores > 0) & (scores < 1)).all()
    assert len(set(scores.ravel().tolist())) == 3


def test_weights_are_the_same_for_the_same_seed_and_spread_as_he_et_al_say() -> None:
    one, other = he_weights(TOPTAG), he_weights(TOPTAG)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not np.array_equal(one["stem.weight"], he_weights(TOPTAG, 2)["stem.weight"])
    for layer in (layer for layer in TOPTAG.layers if layer.name.endswith("spatial")):
        assert one[f"{layer.name}.weight"].var() == pytest.approx(2 / (9 * layer.inputs), rel=0.15)


@pytest.mark.parametrize("name", ["resnet50", "toptag"])
def test_both_are_models_with_dynamic_batching(name: str, tmp_path: Path) -> None:
    network = {"resnet50": RESNET50, "toptag": TOPTAG}[name]
    small = replace(
        network, blocks=network.blocks[:1], head=replace(network.head, inputs=network.blocks[0].expand.outputs)
    )
    write(small, he_weights(small), tmp_path / name)
    (entry,) = Repository.open([tmp_path]).models
    assert (entry.name, entry.batches) == (name, True)
    assert entry.max_batch_size >= 10
    assert [list(each.dims) for each in entry.config.input] == [[3, network.image, network.image]]


def test_both_models_have_builders_among_the_packages_entry_points() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["eventbraid.model_builders"]
    for name, builder in (("resnet50", build_resnet50), ("toptag", build)):
        module, _, function = points[name].partition(":")
        assert getattr(importlib.import_module(module), function) is builder


@pytest.mark.slow
def test_the_builder_writes_resnet50_which_scores_a_batch_of_ten(tmp_path: Path) -> None:
    build_resnet50(tmp_path / "resnet50")
    (entry,) = Repository.open([tmp_path]).models
    assert (entry.name, entry.batches, entry.max_batch_size) == ("resnet50", True, 80)
    (scores,) = session(tmp_path / "resnet50/1/model.onnx").run(["score"], {"image": images(10, 224)})
    assert scores.shape == (10, 1)
    assert ((scores > 0) & (scores < 1)).all()
    assert len(set(scores.ravel().tolist())) == 10
