"""A model repository for Triton's Python back end: each ONNX model with a `model.py` that calls onnxruntime.

Models in Python go there as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.serving.gpus import place
from eventbraid.serving.repository import Repository

__all__ = ["wrap"]

MODEL: Final = """
import pathlib
import numpy
import onnxruntime
import triton_python_backend_utils as triton


def providers(args):
    if args["model_instance_kind"] != "GPU":
        return ["CPUExecutionProvider"]
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries may come from wheels
    return [("CUDAExecutionProvider", {"device_id": int(args["model_instance_device_id"])}), "CPUExecutionProvider"]


class TritonPythonModel:
    def initialize(self, args):
        folder = pathlib.Path(args["model_repository"]) / args["model_version"]
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=providers(args))
        self.inputs = [(each.name, each.type) for each in self.session.get_inputs()]
        self.outputs = [(each.name, each.type) for each in self.session.get_outputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if request.is_cancelled():  # Triton hands on what was cancelled while it waited
            return triton.InferenceResponse([], triton.TritonError("cancelled", triton.TritonError.CANCELLED))
        given = {}
        for name, kind in self.inputs:
            array = triton.get_input_tensor_by_name(request, name).as_numpy()
            if kind == "tensor(string)":
                array = numpy.array([each.decode() for each in array.ravel()], object).reshape(array.shape)
            given[name] = array
        wanted = [name for name, _ in self.outputs if name in request.requested_output_names()]
        try:
            arrays = self.session.run(wanted, given)
        except Exception as error:
            return triton.InferenceResponse([], triton.TritonError(f"the model failed: {error}"))
        return triton.InferenceResponse(
            [triton.Tensor(n, numpy.array(a, object) if a.dtype.kind in "OU" else a) for n, a in zip(wanted, arrays)]
        )
"""


def wrap(repository: Repository, folder: Path, gpus: int = 0) -> None:
    """Write the models into `folder`, for so many GPUs; what they consist of is linked, not copied."""
    text_format = need_extra("google.protobuf.text_format", "inference", "writing a model's config.pbtxt")
    for model in repository.models:
        source, made = model.file.parents[1].resolve(), folder / model.name
        made.mkdir(parents=True)
        if model.config.backend == "python":
            for each in source.iterdir():
                if each.name != "config.pbtxt":
                    (made / each.name).symlink_to(each)
        for number in model.metadata.versions if model.config.backend != "python" else ():
            version = made / number
            version.mkdir()
            for file in (source / number).iterdir():  # large networks keep their weights beside them
                if file.name != "model.py":
                    (version / file.name).symlink_to(file)
            (version / "model.py").write_text(MODEL)
        (made / "config.pbtxt").write_text(text_format.MessageToString(_python(model.config, gpus)))


def _python(config: Any, gpus: int) -> Any:
    changed = type(config)()
    changed.CopyFrom(config)
    if config.backend != "python":
        changed.platform, changed.backend = "", "python"
        place(changed, gpus)
    return changed
