"""EmTrackMichelId without training: the network's exact layers, with weights drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from eventbraid_modules.protodune.network import LAYERS
from eventbraid_modules.protodune.train_emtrackmichelid import CONFIG


def write_untrained(repository: Path) -> Path:
    """Write the model `emtrackmichelid` to a repository; the repository."""
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
    (repository / "emtrackmichelid/1").mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(repository / "emtrackmichelid/1/model.onnx"))
    (repository / "emtrackmichelid/config.pbtxt").write_text(CONFIG)
    return repository
