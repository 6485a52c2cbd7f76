"""The network's numbers beside those of the paper, and its model."""

from __future__ import annotations

import importlib
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from eventbraid.cache import cache_folder
from eventbraid.serving import Repository
from eventbraid_modules.deepcalo.calibration import calibrated, layer_sums
from eventbraid_modules.deepcalo.geometry import IMAGE
from eventbraid_modules.deepcalo.network import DENSE, FILTERS, LAYERS, flops, parameters
from eventbraid_modules.deepcalo.sample import draw_sample
from eventbraid_modules.deepcalo.train_deepcalo import build, build_unbatched
from eventbraid_modules.statistics import effective_resolution

BUILT = cache_folder() / "models" / "deepcalo" / "1" / "model.onnx"
needs_built = pytest.mark.skipif(not BUILT.exists(), reason="needs `eventbraid models build deepcalo`")


def shapes(file: Path) -> list[list[int]]:
    """Of the weights of layers, in order."""
    return [list(each.dims) for each in onnx.load(file).graph.initializer if each.name.endswith(".weight")]


def weights_of_table() -> list[tuple[int, ...]]:
    kernels = [((each.outputs, each.inputs), (each.kernel,) * 2 if each.kernel else ()) for each in LAYERS]
    return [(*channels, *kernel) for channels, kernel in kernels]


def test_it_has_18_million_parameters_as_section_42_says_and_2_million_as_table_1_rounds() -> None:
    assert parameters() == 1_834_721
    assert round(parameters() / 1e6, 1) == 1.8
    assert round(parameters() / 1e6) == 2


def test_a_batch_of_five_takes_043_gflop_as_in_table_1() -> None:
    assert round(flops(5) / 1e9, 2) == 0.43


def test_it_has_five_convolutional_blocks_and_three_dense_layers() -> None:
    blocks = [[layer.kernel for layer in LAYERS if layer.block == block] for block in range(1, 7)]
    assert blocks == [[5], [3, 3], [3, 3], [3, 3], [3, 3], [0, 0, 0]]
    assert [layer.outputs for layer in LAYERS if layer.kernel] == [FILTERS[0], *np.repeat(FILTERS[1:], 2)]
    assert [layer.outputs for layer in LAYERS if not layer.kernel] == list(DENSE)
    assert LAYERS[-1].outputs == 1


def test_table_1_counts_one_layer_more_than_have_weights() -> None:
    assert len(LAYERS) == 13 - 1


def test_every_layer_takes_what_the_one_before_gives() -> None:
    assert (LAYERS[0].inputs, LAYERS[0].size) == (IMAGE[2], (IMAGE[0], 5 * IMAGE[1]))
    for before, layer in pairwise(LAYERS):
        flattened = before.kernel and not layer.kernel
        assert layer.inputs == before.outputs * (before.size[0] * before.size[1] if flattened else 1)
    assert LAYERS[-3].inputs == 3 * 3 * 256


def test_the_network_of_the_table_runs_and_has_its_parameters(models: Path) -> None:
    file = models / "deepcalo/1/model.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (energy,) = session.run(["energy"], {"image": draw_sample(5, 3).pixels})
    assert energy.shape == (5, 1)
    assert np.isfinite(energy).all()
    trained = ("weight", "scale", "shift")
    found = [each for each in onnx.load(file).graph.initializer if each.name.rsplit(".")[-1] in trained]
    assert sum(int(np.prod(each.dims)) for each in found) == parameters()


def test_energies_do_not_depend_on_the_batch_they_are_in(models: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    file = models / "deepcalo/1/model.onnx"
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    pixels = draw_sample(30, 3).pixels
    (whole,) = session.run(["energy"], {"image": pixels})
    for rows in (1, 2, 5, 7, 15):
        parts = [session.run(["energy"], {"image": pixels[at : at + rows]})[0] for at in range(0, 30, rows)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_energies_do_not_depend_on_where_the_image_lies_in_memory(models: Path) -> None:
    file = models / "deepcalo/1/model.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    pixels = draw_sample(5, 3).pixels
    (wanted,) = session.run(["energy"], {"image": pixels})
    for offset in (0, 1, 4, 8, 16, 31):
        memory = np.empty(pixels.nbytes + 128, np.uint8)
        begin = -memory.ctypes.data % 64 + offset  # bytes of a message may begin anywhere
        moved = memory[begin : begin + pixels.nbytes].view(np.float32).reshape(pixels.shape)
        moved[:] = pixels
        assert np.array_equal(session.run(["energy"], {"image": moved})[0], wanted)


def test_dynamic_batching_is_on_in_one_model_and_off_in_the_other(models: Path) -> None:
    on, off = sorted(Repository.open([models]).models, key=lambda entry: entry.name)
    assert (on.name, off.name) == ("deepcalo", "deepcalo_unbatched")
    assert on.batches
    assert list(on.config.dynamic_batching.preferred_batch_size) == [250, 500]  # section 5.3.1
    assert not off.batches
    assert on.max_batch_size == off.max_batch_size == 500
    assert (models / "deepcalo/1/model.onnx").read_bytes() == (models / "deepcalo_unbatched/1/model.onnx").read_bytes()


def test_the_network_without_dynamic_batching_is_a_copy_where_one_is_built(models: Path, tmp_path: Path) -> None:
    (tmp_path / "deepcalo").symlink_to(models / "deepcalo")
    made = tmp_path / ".scratch" / "deepcalo_unbatched"
    made.mkdir(parents=True)
    build_unbatched(made)
    (entry,) = Repository.open([made.parent]).models
    assert not entry.batches
    assert (made / "1/model.onnx").read_bytes() == (models / "deepcalo/1/model.onnx").read_bytes()


def test_both_models_have_builders_among_the_packages_entry_points() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["eventbraid.model_builders"]
    for name, builder in (("deepcalo", build), ("deepcalo_unbatched", build_unbatched)):
        module, _, function = points[name].partition(":")
        assert getattr(importlib.import_module(module), function) is builder


@needs_built
def test_the_built_model_has_the_layers_of_the_table() -> None:
    assert [tuple(shape) for shape in shapes(BUILT) if len(shape) > 1] == weights_of_table()


@needs_built
def test_the_built_model_beats_the_calibrated_sums_on_electrons_that_it_has_not_seen() -> None:
    sample = draw_sample(1500, 7)
    session = onnxruntime.InferenceSession(BUILT, providers=["CPUExecutionProvider"])
    parts = [session.run(["energy"], {"image": part})[0][:, 0] for part in np.array_split(sample.pixels, 15)]
    found = np.concatenate(parts) / sample.energy
    sums = calibrated(layer_sums(sample.pixels), sample.eta) / sample.energy
    assert effective_resolution(found) < 0.9 * effective_resolution(sums)
    assert np.median(found) == pytest.approx(1, abs=0.01)
