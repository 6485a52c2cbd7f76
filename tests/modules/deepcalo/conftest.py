"""DeepCalo in its exact shape with weights drawn at random: what needs no training is tested on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from eventbraid_modules.deepcalo.geometry import IMAGE
from eventbraid_modules.deepcalo.network import LAYERS, REPEAT, config


def untrained() -> Any:
    """The network of the table `LAYERS` as ONNX, its energy the sum of all pixels times 1 and a little."""
    rng = np.random.default_rng(1)
    weights: dict[str, np.ndarray] = {
        "scales": np.array([1, 1, 1, REPEAT], np.float32),
        "ones": np.ones((int(np.prod(IMAGE)), 1), np.float32),
        "one": np.array([1], np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["image"], ["row"]),
        helper.make_node("MatMul", ["row", "ones"], ["total"]),
        helper.make_node("Transpose", ["image"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Resize", ["channels", "", "scales"], ["x0"], mode="nearest"),
    ]
    last, block = "x0", 1
    for number, layer in enumerate(LAYERS, start=1):
        out, kernel = f"x{number}", layer.kernel
        if layer.block != block:
            kind, options = ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}) if kernel else ("Flatten", {})
            nodes.append(helper.make_node(kind, [last], [f"{out}.in"], **options))
            last, block = f"{out}.in", layer.block
        shape = (layer.outputs, layer.inputs, *[kernel] * 2) if kernel else (layer.inputs, layer.outputs)
        spread = (2 / (layer.inputs * (kernel**2 or 1))) ** 0.5
        weights[f"{out}.weight"] = (spread * rng.standard_normal(shape)).astype(np.float32)
        if kernel:
            nodes.append(helper.make_node("Conv", [last, f"{out}.weight"], [f"{out}.sum"], pads=[kernel // 2] * 4))
            names = [f"{out}.{name}" for name in ("scale", "shift", "mean", "variance")]
            weights |= {n: np.full(layer.outputs, v, np.float32) for n, v in zip(names, (1, 0, 0, 1), strict=True)}
            nodes.append(helper.make_node("BatchNormalization", [f"{out}.sum", *names], [f"{out}.out"]))
        else:
            weights[f"{out}.shift"] = np.zeros(layer.outputs, np.float32)
            nodes.append(helper.make_node("Gemm", [last, f"{out}.weight", f"{out}.shift"], [f"{out}.out"]))
        nodes.append(helper.make_node("LeakyRelu", [f"{out}.out"], [out], alpha=0.01))
        last = out
    nodes += [
        helper.make_node("Add", [f"{last}.out", "one"], ["factor"]),
        helper.make_node("Mul", ["total", "factor"], ["energy"]),
    ]
    nodes.remove(nodes[-3])  # no activation after the energy
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *IMAGE])
    energy = helper.make_tensor_value_info("energy", TensorProto.FLOAT, ["batch", 1])
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "deepcalo", [image], [energy], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the models "deepcalo" and "deepcalo_unbatched", untrained."""
    folder = tmp_path_factory.mktemp("models")
    model = untrained()
    for name, dynamic in (("deepcalo", True), ("deepcalo_unbatched", False)):
        (folder / name / "1").mkdir(parents=True)
        onnx.save(model, folder / name / "1" / "model.onnx")
        (folder / name / "config.pbtxt").write_text(config(name, dynamic))
    return folder
