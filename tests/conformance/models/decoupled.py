"""Gives as many answers as it is asked for: 0, 1, 2, ..."""

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            for n in range(int(triton.get_input_tensor_by_name(request, "count").as_numpy()[0])):
                sender.send(triton.InferenceResponse([triton.Tensor("n", np.array([n], np.int32))]))
            sender.send(flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
