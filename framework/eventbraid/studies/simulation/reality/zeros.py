"""A model of Triton's Python back end that answers with zeros; a copy of it is the `1/model.py` of each model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as triton  # pyright: ignore[reportMissingImports]


class TritonPythonModel:
    """Answers each request with as many rows."""

    def initialize(self, args: Mapping[str, str]) -> None:
        config = json.loads(args["model_config"])
        self._input, (output,) = config["input"][0]["name"], config["output"]
        self._output, self._size = output["name"], int(output["dims"][0])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [self._answer(each) for each in requests]

    def _answer(self, request: Any) -> Any:
        rows = len(triton.get_input_tensor_by_name(request, self._input).as_numpy())
        return triton.InferenceResponse([triton.Tensor(self._output, np.zeros((rows, self._size), np.uint8))])
