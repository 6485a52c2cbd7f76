"""Keeps a journal of its own life in the folder that its configuration names."""

import json
from pathlib import Path

import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        self.journal = Path(json.loads(args["model_config"])["parameters"]["journal"]["string_value"])
        self.note("initialized")

    def execute(self, requests):
        self.note("executed")
        return [
            triton.InferenceResponse([triton.Tensor("y", triton.get_input_tensor_by_name(each, "x").as_numpy())])
            for each in requests
        ]

    def finalize(self):
        self.note("finalized")

    def note(self, what):
        with self.journal.open("a") as file:
            file.write(f"{what}\n")
