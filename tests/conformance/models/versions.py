"""Says which version of itself it is."""

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        self.version = np.array([int(args["model_version"])], np.int32)

    def execute(self, requests):
        return [triton.InferenceResponse([triton.Tensor("version", self.version)]) for _ in requests]
