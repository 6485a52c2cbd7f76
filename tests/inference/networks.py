"""Small networks for tests, as model repositories."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def write(folder: Path, name: str, nodes: list[onnx.NodeProto], inputs: list, outputs: list, config: str = "") -> None:
    """A model's folder with its network and, where given, its config.pbtxt."""
    graph = helper.make_graph(nodes, name, inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    file = folder / name / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    onnx.save(model, file)
    if config:
        (folder / name / "config.pbtxt").write_text(config)


def tensor(name: str, dtype: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, list(shape))


def make_repository(folder: Path) -> Path:
    """Models: `sum` (rows of 3 added up and doubled, batching), `types` (one identity for each type), `text`, `fails`, `one` (all numbers added up), `wide` (long rows doubled, and words, batching), `slow` (the same numbers after so many turns)."""
    write(
        folder,
        "sum",
        [
            helper.make_node("Constant", [], ["axes"], value=helper.make_tensor("axes", TensorProto.INT64, [1], [1])),
            helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=1),
            helper.make_node("Add", ["total", "total"], ["twice"]),
        ],
        [tensor("x", TensorProto.FLOAT, "n", 3)],
        [tensor("total", TensorProto.FLOAT, "n", 1), tensor("twice", TensorProto.FLOAT, "n", 1)],
        'name: "sum"\nmax_batch_size: 64\ndynamic_batching { max_queue_delay_microseconds: 20000 }\n',
    )
    kinds = {
        "BOOL": TensorProto.BOOL,
        "INT8": TensorProto.INT8,
        "UINT16": TensorProto.UINT16,
        "INT32": TensorProto.INT32,
        "INT64": TensorProto.INT64,
        "FP16": TensorProto.FLOAT16,
        "FP32": TensorProto.FLOAT,
        "FP64": TensorProto.DOUBLE,
    }
    write(
        folder,
        "types",
        [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in kinds],
        [tensor(f"in_{name}", kind, "n", "m") for name, kind in kinds.items()],
        [tensor(f"out_{name}", kind, "n", "m") for name, kind in kinds.items()],
    )
    write(
        folder,
        "text",
        [helper.make_node("Identity", ["words"], ["same"])],
        [tensor("words", TensorProto.STRING, "n")],
        [tensor("same", TensorProto.STRING, "n")],
    )
    write(
        folder,
        "fails",
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [tensor("x", TensorProto.FLOAT, "n"), tensor("shape", TensorProto.INT64, "k")],
        [tensor("y", TensorProto.FLOAT, "a", "b")],
    )
    write(
        folder,
        "one",
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)],
        [tensor("x", TensorProto.FLOAT, "n")],
        [tensor("y", TensorProto.FLOAT, 1)],
    )
    write(
        folder,
        "wide",
        [helper.make_node("Add", ["x", "x"], ["y"]), helper.make_node("Identity", ["words"], ["same"])],
        [tensor("x", TensorProto.FLOAT, "n", 1024), tensor("words", TensorProto.STRING, "n", 1)],
        [tensor("y", TensorProto.FLOAT, "n", 1024), tensor("same", TensorProto.STRING, "n", 1)],
        'name: "wide"\nmax_batch_size: 65536\n',
    )
    turn = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["count", "one"], ["counted"])],
        "turn",
        [tensor("turn", TensorProto.INT64), tensor("go", TensorProto.BOOL), tensor("count", TensorProto.FLOAT, 1)],
        [tensor("on", TensorProto.BOOL), tensor("counted", TensorProto.FLOAT, 1)],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1])],
    )
    write(
        folder,
        "slow",
        [
            helper.make_node("Constant", [], ["go"], value=helper.make_tensor("true", TensorProto.BOOL, [], [1])),
            helper.make_node("Constant", [], ["zero"], value=helper.make_tensor("zero", TensorProto.FLOAT, [1], [0])),
            helper.make_node("Constant", [], ["none"], value=helper.make_tensor("none", TensorProto.FLOAT, [1], [-1])),
            helper.make_node("Loop", ["turns", "go", "zero"], ["counted"], body=turn),
            helper.make_node("Min", ["counted", "none"], ["less"]),  # the work must not look needless
            helper.make_node("Add", ["less", "x"], ["y"]),
        ],
        [tensor("x", TensorProto.FLOAT, 64, 1024), tensor("turns", TensorProto.INT64, 1)],
        [tensor("y", TensorProto.FLOAT, 64, 1024)],
    )
    return folder
