"""What the tests share: small samples of the simulation, and an untrained network of the exact shape."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from eventbraid_modules.protodune import Arrivals, Detector, Hits, Ionisation, Signals, Waveforms
from eventbraid_modules.protodune.cosmics import Rates
from eventbraid_modules.protodune.deconvolution import deconvolve
from eventbraid_modules.protodune.hits import find_hits
from eventbraid_modules.protodune.network import LAYERS
from eventbraid_modules.protodune.readout import arrivals_of, digitise, drift
from eventbraid_modules.protodune.source import simulate
from eventbraid_modules.protodune.train_emtrackmichelid import CONFIG


class Reconstructed(NamedTuple):
    """An event with all that was made on the way."""

    detector: Detector
    ionisation: Ionisation
    arrivals: Arrivals
    waveforms: Waveforms
    signals: Signals
    hits: Hits


@pytest.fixture(scope="session")
def event() -> Reconstructed:
    """An event with muons, a Michel electron and a shower."""
    detector = Detector()
    ionisation = simulate(detector, Rates(crossing=1, stopping=3, showers=2), seed=3, number=1)
    rng = np.random.default_rng(3)
    arrivals = arrivals_of(detector, drift(ionisation, rng))
    waveforms = Waveforms(digitise(detector, arrivals, 2.5, rng), detector)
    signals = deconvolve(waveforms)
    return Reconstructed(detector, ionisation, arrivals, waveforms, signals, find_hits(signals, 4.0))


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the network's exact layers and weights drawn at random."""
    draw = np.random.default_rng(1)
    tensors: list[onnx.TensorProto] = []
    for name, shape in LAYERS.items():
        weights = draw.standard_normal(shape, np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))
        tensors.append(numpy_helper.from_array(weights, f"{name}.weight"))
        tensors.append(numpy_helper.from_array(np.zeros(shape[0], np.float32), f"{name}.bias"))
    tensors.append(numpy_helper.from_array(np.array([-1, 1, 48, 48], np.int64), "channel first"))
    nodes = [
        helper.make_node("Reshape", ["patches", "channel first"], ["x"]),
        helper.make_node("Conv", ["x", "convolution.weight", "convolution.bias"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("Gemm", ["flat", "first.weight", "first.bias"], ["a"], transB=1),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "second.weight", "second.bias"], ["c"], transB=1),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "classes.weight", "classes.bias"], ["e"], transB=1),
        helper.make_node("Softmax", ["e"], ["track_em_none"], axis=1),
        helper.make_node("Gemm", ["d", "michel.weight", "michel.bias"], ["f"], transB=1),
        helper.make_node("Sigmoid", ["f"], ["michel"]),
    ]
    ends = [[helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["batch", 48, 48, 1])]]
    ends.append(
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
            for name, size in (("track_em_none", 3), ("michel", 1))
        ]
    )
    graph = helper.make_graph(nodes, "untrained", ends[0], ends[1], tensors)
    repository = tmp_path_factory.mktemp("models")
    (repository / "emtrackmichelid/1").mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(repository / "emtrackmichelid/1/model.onnx"))
    (repository / "emtrackmichelid/config.pbtxt").write_text(CONFIG)
    return repository
