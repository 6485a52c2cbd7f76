"""Networks of benchmarks/servers.py: as large as those of the papers, with weights drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from client_models import make_models
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def make_networks(folder: Path) -> Path:
    """Those of benchmarks/client.py, `emtrackmichelid` and `deepcalo`."""
    make_models(folder)
    emtrackmichelid(folder)
    deepcalo(folder)
    return folder


def emtrackmichelid(folder: Path) -> None:
    """ProtoDUNE's network (Wang et al. 2021, section 2.2): patches of 48 x 48, 48 convolutions of 5 x 5, 128, 32, 4."""
    draw = np.random.default_rng(1)
    weights = {
        "kernels": draw.normal(0, 0.1, (48, 1, 5, 5)),
        "first": draw.normal(0, 0.01, (48 * 44 * 44, 128)),
        "second": draw.normal(0, 0.1, (128, 32)),
        "third": draw.normal(0, 0.1, (32, 4)),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "kernels"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "second"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "third"], ["e"]),
        helper.make_node("Softmax", ["e"], ["y"]),
    ]
    _write(folder, "emtrackmichelid", nodes, weights, [48, 48, 1], [4], "max_batch_size: 4096\n")


def deepcalo(folder: Path) -> None:
    """The shapes of DeepCalo (Krupa et al. 2021, section 4.2), images of 56 x 11 x 4 to an energy; its mean here.

    It is asked on emulated GPUs only, whose time is not the network's.
    """
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["y"], axes=[1], keepdims=1),
    ]
    _write(folder, "deepcalo", nodes, {}, [56, 11, 4], [1], "max_batch_size: 5\ndynamic_batching { }\n")


def _write(
    folder: Path,
    name: str,
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    given: list[int],
    gives: list[int],
    config: str,
) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *given])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *gives])]
    constants = [numpy_helper.from_array(each.astype(np.float32), key) for key, each in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    file = folder / name / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9), file)
    (folder / name / "config.pbtxt").write_text(f'name: "{name}"\n{config}')
