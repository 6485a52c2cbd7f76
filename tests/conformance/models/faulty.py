"""Fails as it is told to."""

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        how = triton.get_input_tensor_by_name(request, "how").as_numpy().ravel()[0].decode()
        if how == "raise":
            raise ValueError("raised by the model")
        if how == "plain":
            return triton.InferenceResponse(error=triton.TritonError("an error without a code"))
        if how == "nothing":
            return None
        if how == "type":
            return triton.InferenceResponse([triton.Tensor("y", np.ones((1, 1), np.int64))])
        if how == "name":
            return triton.InferenceResponse([triton.Tensor("z", np.ones((1, 1), np.float32))])
        if how == "well":
            return triton.InferenceResponse([triton.Tensor("y", np.ones((1, 1), np.float32))])
        return triton.InferenceResponse([], triton.TritonError(f"failed with {how}", getattr(triton.TritonError, how)))
