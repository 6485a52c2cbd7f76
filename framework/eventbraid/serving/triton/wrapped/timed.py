"""A user's own model of Triton's Python back end on an emulated GPU: the file given beside it, in the GPU's time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import emulated_clock  # pyright: ignore[reportMissingImports]
import triton_python_backend_utils as triton  # pyright: ignore[reportMissingImports]


class TritonPythonModel:
    """Hands everything on, and answers when the GPU's time is over; with zeros where the device does."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """What the user's model says of its inputs and outputs."""
        model = import_module(".emulated_model", __package__).TritonPythonModel
        return model.auto_complete_config(config) if hasattr(model, "auto_complete_config") else config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the user's model."""
        config = json.loads(args["model_config"])
        device = json.loads(config["parameters"]["emulated"]["string_value"])
        number = int(args["model_instance_name"].rpartition("_")[2])
        self.gpu: Any = emulated_clock.shared_gpu(device, number, triton.Logger.log_warn)
        self.batches = config["max_batch_size"] > 0
        self.model: Any = import_module(".emulated_model", __package__).TritonPythonModel()
        if hasattr(self.model, "initialize"):
            self.model.initialize(args)

    def execute(self, requests: Sequence[Any]) -> Any:
        """The user's answers."""
        if self.gpu is None:
            return self.model.execute(requests)
        inputs = [[tensor.as_numpy() for tensor in request.inputs()] for request in requests]
        rows = sum(len(each[0]) if self.batches else 1 for each in inputs)
        self.gpu.begin(rows, sum(array.nbytes for each in inputs for array in each))
        try:
            return self.model.execute(requests)
        finally:
            self.gpu.end()

    def finalize(self) -> None:
        """Tell the user's model, if it wants to know."""
        if hasattr(self.model, "finalize"):
            self.model.finalize()
