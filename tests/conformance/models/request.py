"""Tells what it was told: the request's id, its parameters, the outputs asked for, and its own start."""

import json

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        self.args = dict(args)

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        told = {
            "id": request.request_id(),
            "parameters": json.loads(request.parameters()),
            "outputs": sorted(request.requested_output_names()),
            "correlation": request.correlation_id(),
            "args": {name: value for name, value in self.args.items() if name != "model_config"},
            "config": json.loads(self.args["model_config"]),
        }
        text = np.array([json.dumps(told)], object)
        tensors = [triton.Tensor(name, text) for name in ("told", "again") if name in request.requested_output_names()]
        return triton.InferenceResponse(tensors)
