"""A network as a model of Triton's Python back end, on the CPU or on an emulated GPU; with NumPy and onnxruntime."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import triton_python_backend_utils as triton  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray


@dataclass
class Asked:
    """A request: its inputs and the names of the outputs that it wants."""

    inputs: dict[str, NDArray[Any]]
    wanted: tuple[str, ...]
    rows: int


class Model(Protocol):
    """What computes: a network, or zeros."""

    names: tuple[str, ...]

    def run(self, asked: Asked) -> dict[str, NDArray[Any]]:
        """The outputs that are wanted."""
        ...


class TritonPythonModel:
    """The interface of Triton's Python back end."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the network, and take a place on a GPU where one is emulated."""
        config = json.loads(args["model_config"])
        self.batches = config["max_batch_size"] > 0
        self.inputs = [(each["name"], each["data_type"] == "TYPE_STRING") for each in config["input"]]
        said = config.get("parameters", {}).get("emulated")
        device = json.loads(said["string_value"]) if said else {}
        self.model: Model
        if device.get("answers") == "zeros":
            self.model = Zeros(config["output"], self.batches)
        else:
            file = pathlib.Path(args["model_repository"]) / args["model_version"] / "model.onnx"
            on_gpu = args["model_instance_kind"] == "GPU"
            self.model = Network(file, int(args["model_instance_device_id"]) if on_gpu else None)
        self.gpu: Any = None
        if device:
            import emulated_clock  # pyright: ignore[reportMissingImports]  # copied beside this file

            number = int(args["model_instance_name"].rpartition("_")[2])
            self.gpu = emulated_clock.shared_gpu(device, number, triton.Logger.log_warn)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request; the rows of all are computed at once where the model batches."""
        # Triton hands on what was cancelled while it waited.
        asked = [None if request.is_cancelled() else self.read(request) for request in requests]
        alive = [each for each in asked if each is not None]
        if self.gpu is None or not alive:
            replies = self.replies(alive)
        else:
            size = sum(array.nbytes for each in alive for array in each.inputs.values())
            self.gpu.begin(sum(each.rows for each in alive), size)
            replies = self.replies(alive)
            self.gpu.end()
        answers = iter(replies)
        return [failed("cancelled", triton.TritonError.CANCELLED) if each is None else next(answers) for each in asked]

    def read(self, request: Any) -> Asked:
        """The tensors of a request; text as str."""
        inputs: dict[str, NDArray[Any]] = {}
        for name, is_text in self.inputs:
            array = triton.get_input_tensor_by_name(request, name).as_numpy()
            if is_text:
                array = np.array([each.decode(errors="surrogateescape") for each in array.ravel()], object).reshape(
                    array.shape
                )
            inputs[name] = array
        wanted = tuple(name for name in self.model.names if name in request.requested_output_names())
        return Asked(inputs, wanted, len(next(iter(inputs.values()))) if self.batches else 1)

    def replies(self, asked: Sequence[Asked]) -> list[Any]:
        """The responses, by one run of the model where that can be."""
        if self.batches and len(asked) > 1 and alike(asked):
            try:
                return [response(outputs) for outputs in split(self.model.run(join(asked)), asked)]
            except Exception:  # noqa: BLE001  # whose fault it is shows when each is run alone
                pass
        return [self.reply(each) for each in asked]

    def reply(self, asked: Asked) -> Any:
        """The response to one request."""
        try:
            return response(self.model.run(asked))
        except Exception as error:  # noqa: BLE001  # the request's error, not the server's end
            return failed(f"the model failed: {error}")


class Network:
    """An ONNX network."""

    def __init__(self, file: pathlib.Path, gpu: int | None) -> None:
        import onnxruntime

        providers: list[Any] = ["CPUExecutionProvider"]
        if gpu is not None:
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": gpu}))
            if hasattr(onnxruntime, "preload_dlls"):
                onnxruntime.preload_dlls()  # CUDA's libraries may come from wheels
        options = onnxruntime.SessionOptions()
        # Threads that spin for the next request burn the cores of whoever else is on this machine: 5 ms a request.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session: Any = onnxruntime.InferenceSession(str(file), options, providers=providers)
        self.names = tuple(each.name for each in self.session.get_outputs())

    def run(self, asked: Asked) -> dict[str, NDArray[Any]]:
        """The outputs that are wanted; raises what onnxruntime raises."""
        return dict(zip(asked.wanted, self.session.run(list(asked.wanted), asked.inputs), strict=True))


class Zeros:
    """Zeros in the shapes of the configuration; dimensions that may have any size are 1, but for the batch."""

    def __init__(self, outputs: Sequence[Mapping[str, Any]], batches: bool) -> None:
        self.batches = batches
        self.types = {each["name"]: np.dtype(triton.triton_string_to_numpy(each["data_type"])) for each in outputs}
        self.shapes = {each["name"]: [max(1, int(size)) for size in each["dims"]] for each in outputs}
        self.names = tuple(self.types)

    def run(self, asked: Asked) -> dict[str, NDArray[Any]]:
        """The outputs that are wanted."""
        first = [asked.rows] if self.batches else []
        return {name: self.zeros(self.types[name], [*first, *self.shapes[name]]) for name in asked.wanted}

    @staticmethod
    def zeros(kind: np.dtype[Any], shape: Sequence[int]) -> NDArray[Any]:
        """An array of that type and shape."""
        return np.full(shape, b"", object) if kind.kind == "O" else np.zeros(shape, kind)


def alike(asked: Sequence[Asked]) -> bool:
    """True where requests can be one: the same shapes behind the batch."""
    first = {name: array.shape[1:] for name, array in asked[0].inputs.items()}
    return all(array.shape[1:] == first[name] for each in asked[1:] for name, array in each.inputs.items())


def join(asked: Sequence[Asked]) -> Asked:
    """One request of several."""
    inputs = {name: np.concatenate([each.inputs[name] for each in asked]) for name in asked[0].inputs}
    return Asked(
        inputs, tuple({name: None for each in asked for name in each.wanted}), sum(each.rows for each in asked)
    )


def split(outputs: Mapping[str, NDArray[Any]], asked: Sequence[Asked]) -> list[dict[str, NDArray[Any]]]:
    """The outputs of each of several; raises ValueError where an output has not a row for each row."""
    rows = [each.rows for each in asked]
    if any(array.shape[:1] != (sum(rows),) for array in outputs.values()):
        raise ValueError("the model mixes its rows")
    parts = {name: np.split(array, np.cumsum(rows)[:-1]) for name, array in outputs.items()}
    return [{name: parts[name][n] for name in each.wanted} for n, each in enumerate(asked)]


def response(outputs: Mapping[str, NDArray[Any]]) -> Any:
    """Triton's response; text as it takes it."""
    return triton.InferenceResponse(
        [triton.Tensor(name, np.array(a, object) if a.dtype.kind in "OU" else a) for name, a in outputs.items()]
    )


def failed(message: str, *code: Any) -> Any:
    """Triton's response that is an error."""
    return triton.InferenceResponse([], triton.TritonError(message, *code))
