"""The models of benchmarks/client.py: they give back what they get, all of it or its beginning, and compute nothing."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def make_models(folder: Path) -> Path:
    """Rows of 4: `same` batched by the server, `alone` not; `first` (a tensor's first number), `all` (the tensor)."""
    same = helper.make_node("Identity", ["x"], ["y"])
    limits = [helper.make_tensor(name, TensorProto.INT64, [1], [at]) for name, at in (("start", 0), ("end", 1))]
    first = helper.make_node("Slice", ["x", "start", "end"], ["y"])
    batching = "max_batch_size: 64\ndynamic_batching { }\n"
    _write(folder, "same", same, [], ["n", 4], ["n", 4], batching)
    _write(folder, "alone", same, [], ["n", 4], ["n", 4], "max_batch_size: 64\n")
    _write(folder, "first", first, limits, ["n"], [1])
    _write(folder, "all", same, [], ["n"], ["n"])
    return folder


def _write(
    folder: Path,
    name: str,
    node: onnx.NodeProto,
    constants: list[onnx.TensorProto],
    given: list[str | int],
    gives: list[str | int],
    config: str = "",
) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, gives)]
    graph = helper.make_graph([node], name, inputs, outputs, constants)
    file = folder / name / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    (folder / name / "config.pbtxt").write_text(f'name: "{name}"\n{config}')
