"""One ONNX network, loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import ConfigurationError, need_extra
from eventbraid.kserve import Tensors
from eventbraid.serving.repository.checking import load_fault

__all__ = ["Session", "gpus_here"]

ALIGNMENT: Final = 64
"""Bytes: the widest registers of today's processors."""


class Session:
    """A network in onnxruntime with `threads` threads, on a GPU where `gpu` is its number.

    Raises `ConfigurationError` for a broken file.
    """

    def __init__(self, file: Path, threads: int = 1, gpu: int | None = None) -> None:
        onnxruntime = need_extra("onnxruntime", "local", "running a model in this process")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        providers: list[Any] = ["CPUExecutionProvider"]
        if gpu is not None:
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": gpu}))
        try:
            self._session: Any = onnxruntime.InferenceSession(str(file), options, providers=providers)
        except Exception as error:
            raise ConfigurationError([load_fault(file, str(error))], str(file)) from error

    @property
    def inputs(self) -> Sequence[Any]:
        """onnxruntime's description of each input: name, type, shape."""
        found: Sequence[Any] = self._session.get_inputs()
        return found

    @property
    def outputs(self) -> Sequence[Any]:
        """The same of each output."""
        found: Sequence[Any] = self._session.get_outputs()
        return found

    def run(self, inputs: Tensors, names: Sequence[str]) -> Tensors:
        """The named outputs; raises what onnxruntime raises."""
        values = self._session.run(list(names), {name: _native(array) for name, array in inputs.items()})
        return {name: _bytes(array) for name, array in zip(names, values, strict=True)}


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """An array as onnxruntime reads it: in this machine's byte order, which it does not check, and text as str."""
    if array.dtype.kind not in "OSU":
        return _aligned(np.asarray(array).astype(array.dtype.newbyteorder("="), order="C", copy=False))
    words = [each.decode(errors="surrogateescape") if isinstance(each, bytes) else str(each) for each in array.ravel()]
    return np.array(words, object).reshape(array.shape)


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    """The same at a multiple of ALIGNMENT: where an array begins decides in which order onnxruntime adds up."""
    if array.__array_interface__["data"][0] % ALIGNMENT == 0:
        return array
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    first = -room.__array_interface__["data"][0] % ALIGNMENT
    aligned = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    aligned[...] = array
    return aligned


def _bytes(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "OU":
        return array
    words = np.empty(array.size, object)
    words[:] = [str(each).encode(errors="surrogateescape") for each in array.ravel()]
    return words.reshape(array.shape)


def gpus_here() -> list[int]:
    """The numbers of the GPUs that onnxruntime can use."""
    onnxruntime = need_extra("onnxruntime", "local", "running a model in this process")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = sorted(Path("/dev").glob("nvidia[0-9]*"))
    count = len(there) if visible is None else min(len(there), len([each for each in visible.split(",") if each]))
    return list(range(count))
