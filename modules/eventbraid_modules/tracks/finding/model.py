"""A track finder as a model of Triton's Python back end: "hits" in, "labels" out.

A builder writes it as `1/model.py`, with a copy of this folder as `1/track_finding` and the networks beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as triton  # pyright: ignore[reportMissingImports]
from track_finding import track_finder  # pyright: ignore[reportMissingImports]


class TritonPythonModel:
    """The finder that the configuration's parameter "finder" names, for one event a request."""

    def initialize(self, args: Mapping[str, str]) -> None:
        name = json.loads(args["model_config"])["parameters"]["finder"]["string_value"]
        self._find = track_finder(name, Path(__file__).parent)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [self._answer(each) for each in requests]

    def _answer(self, request: Any) -> Any:
        position = triton.get_input_tensor_by_name(request, "hits").as_numpy()
        try:
            return triton.InferenceResponse([triton.Tensor("labels", self._find(position))])
        except ValueError as error:
            return triton.InferenceResponse([], triton.TritonError(str(error), triton.TritonError.INVALID_ARG))
