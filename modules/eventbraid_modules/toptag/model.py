"""Residual networks as models for servers: ONNX of the table and its weights, and a config.pbtxt.

The builders "resnet50" and "toptag" of `eventbraid models build`; see `network` and `train_toptag`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid_modules.toptag.images import CHANNELS
from eventbraid_modules.toptag.network import RESNET50, Layer, Network, logit
from eventbraid_modules.training import OPSET

__all__ = ["build_resnet50", "config", "he_weights", "to_onnx", "write"]

Weights = Mapping[str, NDArray[np.float32]]
SEED: Final = 1512_03385
"""What the weights of the untrained network are drawn from: it is the same everywhere."""
LAST_SCALE: Final = 0.2
"""Of a block's last batch normalisation, untrained: with 1 the sums of 16 blocks grow beyond what a sigmoid shows."""
BATCHES: Final = {
    "resnet50": "max_batch_size: 80\n"
    "dynamic_batching { preferred_batch_size: [ 40, 80 ] max_queue_delay_microseconds: 1000 }\n",
    "toptag": "max_batch_size: 1024\ndynamic_batching { }\n",
}


def config(network: Network) -> str:
    """The model's config.pbtxt, with dynamic batching."""
    return (
        f'name: "{network.name}"\nplatform: "onnxruntime_onnx"\n{BATCHES[network.name]}'
        f'input [ {{ name: "image" data_type: TYPE_FP32 dims: [ {CHANNELS}, {network.image}, {network.image} ] }} ]\n'
        'output [ { name: "score" data_type: TYPE_FP32 dims: [ 1 ] } ]\n'
    )


def he_weights(network: Network, seed: int = SEED) -> Weights:
    """Untrained weights by name: normal, with a variance of 2 over the inputs (He et al. 2015, arXiv:1502.01852)."""
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[np.float32]] = {}
    for layer in network.layers:
        spread = np.float32((2 / (layer.inputs * (layer.kernel**2 or 1))) ** 0.5)
        found[f"{layer.name}.weight"] = spread * rng.standard_normal(layer.shape, np.float32)
        scale = LAST_SCALE if layer.name.endswith(".expand") else 1
        values = {"scale": scale, "shift": 0, "mean": 0, "variance": 1} if layer.kernel else {"shift": 0}
        found |= {f"{layer.name}.{name}": np.full(layer.outputs, value, np.float32) for name, value in values.items()}
    return found


class _Graph:
    """The `Operations` on names of tensors, which collect the nodes of an ONNX graph."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.nodes: list[Any] = []

    def convolve(self, x: str, layer: Layer) -> str:
        name = layer.name
        pads = [layer.kernel // 2] * 4
        summed = self.node("Conv", x, f"{name}.weight", strides=[layer.stride] * 2, pads=pads)
        return self.node("BatchNormalization", summed, *(f"{name}.{n}" for n in ("scale", "shift", "mean", "variance")))

    def rectify(self, x: str) -> str:
        return self.node("Relu", x)

    def pool(self, x: str) -> str:
        return self.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)

    def add(self, x: str, y: str) -> str:
        return self.node("Add", x, y)

    def average(self, x: str) -> str:
        return self.node("Flatten", self.node("GlobalAveragePool", x))

    def weigh(self, x: str, layer: Layer) -> str:
        return self.node("Gemm", x, f"{layer.name}.weight", f"{layer.name}.shift", transB=1)

    def node(self, kind: str, *inputs: str, output: str = "", **options: Any) -> str:
        name = output or f"x{len(self.nodes) + 1}"
        self.nodes.append(self._helper.make_node(kind, inputs, [name], **options))
        return name


def to_onnx(network: Network, weights: Weights) -> Any:
    """The network as ONNX: "image" (rows, 3, size, size) to "score" (rows, 1), from 0 to 1."""
    onnx: Any = need_extra("onnx", "training", "writing a network")
    graph = _Graph(onnx.helper)
    graph.node("Sigmoid", logit(network, "image", graph), output="score")
    kind = onnx.TensorProto.FLOAT
    image = onnx.helper.make_tensor_value_info("image", kind, ["batch", CHANNELS, network.image, network.image])
    score = onnx.helper.make_tensor_value_info("score", kind, ["batch", 1])
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    made = onnx.helper.make_graph(graph.nodes, network.name, [image], [score], tensors)
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=8)


def write(network: Network, weights: Weights, folder: Path) -> None:
    """Write the model `folder`: `1/model.onnx` and `config.pbtxt`."""
    onnx: Any = need_extra("onnx", "training", "writing a network")
    made = to_onnx(network, weights)
    (folder / "1").mkdir(parents=True, exist_ok=True)
    onnx.save(made, folder / "1" / "model.onnx")
    (folder / "config.pbtxt").write_text(config(network))


def build_resnet50(folder: Path) -> None:
    """Write ResNet-50 with untrained weights, for timing: the builder "resnet50"; needs no torch."""
    write(RESNET50, he_weights(RESNET50), folder)
