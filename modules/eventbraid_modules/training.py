"""What the training scripts share: torch, imported late, the loop over batches, and a network written as ONNX.

Training needs the extra `training`; nothing that runs a job does. It is done on one thread: sums of several depend on
their number, and threads that wait for each other on a busy machine only take its time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import ConfigurationError, DataError, need_extra

__all__ = ["OPSET", "Inputs", "answers", "fit", "parameters", "torch", "write"]

OPSET: Final = 17
"""Of the ONNX files: both onnxruntime 1.19 and the one of the real Triton read it."""
Inputs: TypeAlias = Mapping[str, NDArray[Any]]
"""What a network is asked: a batch of each input, by its name."""


def torch(seed: int) -> Any:
    """The library on one thread, its random numbers seeded, nothing in it left to chance; raises `MissingExtra`."""
    need_extra("onnx", "training", "writing a network")  # told before minutes of training
    library = need_extra("torch", "training", "training a network")
    library.manual_seed(seed)
    library.use_deterministic_algorithms(True)
    library.set_num_threads(1)
    return library


def fit(optimiser: Any, loss: Callable[[Any], Any], rows: int, *, batch: int, epochs: int, rising: float = 0.3) -> None:
    """Minimise `loss`, which is given the numbers of a batch's rows, in passes over all rows in random order.

    The learning rate makes one cycle (Smith and Topin 2017, arXiv:1708.07120), with that of the optimiser as its
    highest, reached after the share `rising` of all steps. Rows that fill no batch are left out of a pass.
    Raises `DataError` where there are fewer rows than one batch.
    """
    library = need_extra("torch", "training", "training a network")
    if rows < batch:
        raise DataError(f"the sample has {rows} rows, fewer than a batch of {batch}: train on more events")
    rate, batches = optimiser.param_groups[0]["lr"], rows // batch
    schedule = library.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * batches, pct_start=rising)
    for _ in range(epochs):
        for chosen in library.randperm(rows)[: batches * batch].split(batch):
            optimiser.zero_grad()
            loss(chosen).backward()
            optimiser.step()
            schedule.step()


def answers(file: Path, inputs: Sequence[Inputs]) -> NDArray[np.float32]:
    """What a network's first output says to some batches, one after the other, shape (answers,), on one thread.

    Raises `ConfigurationError` for a file that is no such network.
    """
    onnxruntime = need_extra("onnxruntime", "local", "asking a network")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one order of all sums
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        return np.concatenate([np.ravel(session.run(None, dict(each))[0]) for each in inputs])
    except Exception as error:
        raise ConfigurationError(f"cannot be asked: {str(error).splitlines()[0]}", str(file)) from error


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
