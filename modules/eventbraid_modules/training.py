"""What the training scripts share: torch, imported late, and a network written as ONNX with its configuration.

Training needs the extra `training`; nothing that runs a job does.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import need_extra

__all__ = ["OPSET", "parameters", "torch", "write"]

OPSET: Final = 17
"""Of the ONNX files: both onnxruntime 1.19 and the one of the real Triton read it."""


def torch(seed: int) -> Any:
    """The library, with its random numbers seeded and nothing in it left to chance; raises `MissingExtra`."""
    need_extra("onnx", "training", "writing a network")  # told before minutes of training
    library = need_extra("torch", "training", "training a network")
    library.manual_seed(seed)
    library.use_deterministic_algorithms(True)
    return library


def parameters(network: Any) -> int:
    """How many numbers of a torch module are trained."""
    return sum(each.numel() for each in network.parameters())


def write(network: Any, folder: Path, inputs: Mapping[str, Any], outputs: tuple[str, ...], config: str) -> None:
    """Write a torch module as the model `folder`: `1/model.onnx`, for batches of any size, and `config.pbtxt`.

    `inputs` are examples with their names in the order of the module's arguments, the batch first. Layers stay
    as they are: batch normalisation is not merged into what is before it, so that all parameters can be counted.
    """
    library = need_extra("torch", "training", "writing a network")
    file = folder / "1" / "model.onnx"
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter that needs no further library
        library.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)},
            opset_version=OPSET,
            training=library.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    (folder / "config.pbtxt").write_text(config)
