"""The models of the suite, in Triton's layout, for both servers."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import tensor, write

SOURCES = Path(__file__).parent / "models"
KINDS = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


def tensors(kind: str, **types: str) -> str:
    """The lines of a configuration for inputs or outputs: {name: "FP32 2"}, with any further fields behind."""
    lines = []
    for name, text in types.items():
        datatype, dims, *more = text.split(maxsplit=2)
        lines.append(f'{kind} {{ name: "{name}" data_type: TYPE_{datatype} dims: [{dims}] {" ".join(more)} }}\n')
    return "".join(lines)


def policy(text: str) -> str:
    return f"max_batch_size: 1\ndynamic_batching {{ default_queue_policy {{ {text} }} }}\n"


GATED = tensors("input", x="FP32 1", folder="STRING 1") + tensors("output", y="FP32 1", together="INT32 1")
GATES = {
    "single": "",
    "batched": "max_batch_size: 4\ndynamic_batching {}\n",
    "delayed": "max_batch_size: 4\ndynamic_batching { max_queue_delay_microseconds: 60000000 }\n",
    "preferred": (
        "max_batch_size: 8\ndynamic_batching { preferred_batch_size: 3 max_queue_delay_microseconds: 60000000 }\n"
    ),
    "bounded": policy("max_queue_size: 3"),
    "impatient": policy("default_timeout_microseconds: 60000000 allow_timeout_override: true"),
    "strict": policy("default_timeout_microseconds: 60000000"),
    "patient": policy("timeout_action: DELAY allow_timeout_override: true"),
    "ranked": "max_batch_size: 1\ndynamic_batching { priority_levels: 3 default_priority_level: 2 }\n",
    "pair": "max_batch_size: 1\ninstance_group { count: 2 kind: KIND_CPU }\n",
}
"""Models of models/gated.py: each a way to wait and to be put together."""
VERSIONS = tensors("input", x="FP32 1") + tensors("output", version="INT32 1")
VERSIONED = {
    "newest": "",
    "every": "version_policy { all {} }\n",
    "latest": "version_policy { latest { num_versions: 2 } }\n",
    "chosen": "version_policy { specific { versions: [1, 2] } }\n",
}
"""Models of models/versions.py, each with the versions 1, 2 and 10 in its folder."""
X_TO_Y = tensors("input", x="FP32 2") + tensors("output", y="FP32 2")
OTHERS = {
    "optional": "".join(
        tensors("input", **{f"in_{name}": f"{name.replace('BYTES', 'STRING')} -1,-1 optional:true"})
        + tensors("output", **{f"out_{name}": f"{name.replace('BYTES', 'STRING')} -1,-1"})
        for name in KINDS
    ),
    "faulty": (
        "max_batch_size: 2\ndynamic_batching { max_queue_delay_microseconds: 60000000 }\n"
        + tensors("input", how="STRING 1")
        + tensors("output", y="FP32 1")
    ),
    "alone": tensors("input", how="STRING 1,1") + tensors("output", y="FP32 1,1"),
    "decoupled": (
        "model_transaction_policy { decoupled: true }\n"
        + tensors("input", count="INT32 1")
        + tensors("output", n="INT32 1")
    ),
    "request": tensors("input", x="FP32 1") + tensors("output", told="STRING 1", again="STRING 1"),
    "reshaped": (
        "max_batch_size: 4\n"
        + tensors("input", in_FP32="FP32 4 reshape:{shape:[2,2]}")
        + tensors("output", out_FP32="FP32 2,2")
    ),
}
SOURCE = {
    **dict.fromkeys(GATES, "gated"),
    **dict.fromkeys(VERSIONED, "versions"),
    "alone": "faulty",
    "reshaped": "optional",
}


@dataclass(frozen=True)
class Models:
    """A folder of ONNX models, and a folder of Python models to which tests add."""

    networks: Path
    python: Path

    def add(self, name: str, source: str, config: str | None, *versions: int) -> Path:
        """Write a Python model of the folder models/; with `config` None it has no config.pbtxt."""
        folder = self.python / name
        for version in versions or (1,):
            (folder / str(version)).mkdir(parents=True)
            shutil.copy(SOURCES / f"{source}.py", folder / str(version) / "model.py")
        if config is not None:
            (folder / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "python"\n{config}')
        return folder

    def add_life(self, name: str) -> Path:
        """Write a model that keeps a journal of its life, and give the file."""
        journal = self.python.parent / f"{name}.journal"
        self.add(name, "life", f'parameters {{ key: "journal" value {{ string_value: "{journal}" }} }}\n{X_TO_Y}')
        return journal


def make_models(folder: Path) -> Models:
    """All models of the suite."""
    models = Models(folder / "networks", folder / "python")
    write_networks(models.networks)
    for name, config in GATES.items():
        models.add(name, "gated", config + GATED)
    for name, config in VERSIONED.items():
        models.add(name, "versions", config + VERSIONS, 1, 2, 10)
    for name, config in OTHERS.items():
        models.add(name, SOURCE.get(name, name), config)
    models.add("completed", "completed", None)
    return models


def make_gated(folder: Path) -> Models:
    """The models `fixed` and `single` alone."""
    models = Models(folder / "networks", folder / "python")
    write_fixed(models.networks)
    models.add("single", "gated", GATED)
    return models


def write_networks(folder: Path) -> None:
    """ONNX models: `sum` and `joined`, `identities` (one for each type) and `fixed`."""
    write_sums(folder)
    write(
        folder,
        "identities",
        [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in KINDS],
        [tensor(f"in_{name}", kind, "n", "m") for name, kind in KINDS.items()],
        [tensor(f"out_{name}", kind, "n", "m") for name, kind in KINDS.items()],
    )
    write_fixed(folder)


def write_fixed(folder: Path) -> None:
    """An ONNX model that gives back a row of 2."""
    write(
        folder,
        "fixed",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", TensorProto.FLOAT, 2)],
        [tensor("y", TensorProto.FLOAT, 2)],
    )


def write_sums(folder: Path) -> None:
    """ONNX models that add up rows of 3, and twice that: `sum`, and `joined` with dynamic batching."""
    for name, batching in (("sum", ""), ("joined", "dynamic_batching {}\n")):
        axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
        write(
            folder,
            name,
            [
                helper.make_node("Constant", [], ["axes"], value=axes),
                helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=1),
                helper.make_node("Add", ["total", "total"], ["twice"]),
            ],
            [tensor("x", TensorProto.FLOAT, "n", 3)],
            [tensor("total", TensorProto.FLOAT, "n", 1), tensor("twice", TensorProto.FLOAT, "n", 1)],
            f'name: "{name}"\nmax_batch_size: 8\n{batching}',
        )
