"""The module that Triton's Python back end gives to a `model.py`, for models that run in the embedded server.

The names and what they do are Triton's (its python_backend, src/resources/triton_python_backend_utils.py and
src/pb_stub.cc). What is not here is not supported: memory of GPUs, calls of other models.
"""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.kserve.tensors import decode, encode

__all__ = [
    "TRITONSERVER_RESPONSE_COMPLETE_FINAL",
    "TRITONSERVER_RESPONSE_COMPLETE_NONE",
    "InferenceRequest",
    "InferenceResponse",
    "Logger",
    "ModelConfig",
    "Tensor",
    "TritonError",
    "TritonModelException",
    "deserialize_bytes_tensor",
    "get_input_config_by_name",
    "get_input_tensor_by_name",
    "get_output_config_by_name",
    "get_output_tensor_by_name",
    "numpy_to_triton_type",
    "serialize_byte_tensor",
    "triton_string_to_numpy",
    "triton_to_numpy_type",
    "using_decoupled_model_transaction_policy",
]

TRITONSERVER_RESPONSE_COMPLETE_NONE: Final = 0
TRITONSERVER_RESPONSE_COMPLETE_FINAL: Final = 1

NUMPY: Final[dict[int, Any]] = {
    1: np.bool_,
    2: np.uint8,
    3: np.uint16,
    4: np.uint32,
    5: np.uint64,
    6: np.int8,
    7: np.int16,
    8: np.int32,
    9: np.int64,
    10: np.float16,
    11: np.float32,
    12: np.float64,
    13: np.object_,
}
"""By the numbers of TRITONSERVER_DataType, which are those of a configuration's data types."""
TYPES: Final = "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 STRING"
STRINGS: Final[dict[str, int]] = {name: number for number, name in enumerate(TYPES.split(), 1)}


class TritonModelException(Exception):
    """What went wrong in a model, as Triton calls it."""


class TritonError:
    """An error that is the answer to a request: its message, and one of the codes."""

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = range(8)

    def __init__(self, message: str, code: int = INTERNAL) -> None:
        self._message, self._code = message, code

    def message(self) -> str:
        return self._message

    def code(self) -> int:
        return self._code

    def __str__(self) -> str:
        return self._message


class Tensor:
    """A named array; arrays of text become arrays of bytes."""

    def __init__(self, name: str, array: object) -> None:
        if not isinstance(array, np.ndarray):
            raise TritonModelException(f"Tensor {name!r} needs a numpy array, not {type(array).__name__}")
        self._name = name
        self._array = (
            array.astype(object) if array.dtype.kind in "US" else np.ascontiguousarray(array).reshape(array.shape)
        )

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> NDArray[Any]:
        return self._array

    def triton_dtype(self) -> int:
        return numpy_to_triton_type(self._array.dtype.type)

    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def is_cpu(self) -> bool:
        return True

    def to_dlpack(self) -> Any:
        return self._array.__dlpack__()

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    @staticmethod
    def from_dlpack(name: str, tensor: Any) -> Tensor:
        return Tensor(name, np.from_dlpack(tensor))


class InferenceResponse:
    """The answer to a request: tensors, or an error."""

    def __init__(
        self,
        output_tensors: Iterable[Tensor] = (),
        error: TritonError | TritonModelException | None = None,
        parameters: Mapping[str, Any] | str | None = None,
    ) -> None:
        self._tensors = list(output_tensors)
        self._error = error
        self._parameters = json.loads(parameters) if isinstance(parameters, str) else dict(parameters or {})

    def output_tensors(self) -> list[Tensor]:
        return self._tensors

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> Any:
        return self._error

    def parameters(self) -> str:
        return json.dumps(self._parameters)


class ResponseSender:
    """Takes the answers of a decoupled model, from any thread."""

    def __init__(self, send: Callable[[InferenceResponse | None, bool], None], cancelled: Callable[[], bool]) -> None:
        self._send, self._cancelled = send, cancelled
        self._closed = False

    def send(self, response: InferenceResponse | None = None, flags: int = 0) -> None:
        if self._closed:
            raise TritonModelException("Unable to send response. Response sender has been closed.")
        if response is None and not flags:
            raise TritonModelException(
                "Inference Response object must be provided when the response flags is not final"
            )
        self._closed = bool(flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        self._send(response, self._closed)

    def is_cancelled(self) -> bool:
        return self._cancelled()


class InferenceRequest:
    """A request, as a model sees it."""

    def __init__(
        self,
        inputs: Sequence[Tensor],
        *,
        request_id: str,
        requested: Sequence[str],
        parameters: Mapping[str, Any],
        timeout: int,
        sequence: int | str,
        priority: int,
        cancelled: Callable[[], bool],
        send: Callable[[InferenceResponse | None, bool], None],
    ) -> None:
        self._inputs = list(inputs)
        self._id, self._requested, self._parameters = request_id, list(requested), dict(parameters)
        self._timeout, self._priority, self._sequence = timeout, priority, sequence
        self._cancelled, self._sender = cancelled, ResponseSender(send, cancelled)

    def inputs(self) -> list[Tensor]:
        return self._inputs

    def request_id(self) -> str:
        return self._id

    def correlation_id(self) -> int | str:
        return self._sequence

    def flags(self) -> int:
        return 0

    def requested_output_names(self) -> list[str]:
        return self._requested

    def parameters(self) -> str:
        return json.dumps(self._parameters)

    def timeout(self) -> int:
        return self._timeout

    def priority(self) -> int:
        return self._priority

    def is_cancelled(self) -> bool:
        return self._cancelled()

    def get_response_sender(self) -> ResponseSender:
        return self._sender


class ModelConfig:
    """What `auto_complete_config` fills in."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config: dict[str, Any] = dict(config)

    def as_dict(self) -> dict[str, Any]:
        return self._config

    def add_input(self, tensor: Mapping[str, Any]) -> None:
        self._add("input", tensor)

    def add_output(self, tensor: Mapping[str, Any]) -> None:
        self._add("output", tensor)

    def set_max_batch_size(self, size: int) -> None:
        self._config.setdefault("max_batch_size", 0)
        if self._config["max_batch_size"] not in (0, size):
            raise ValueError(
                f"configuration specified max_batch_size {self._config['max_batch_size']}, "
                f"but in auto-complete-config function for model {self._config['name']!r} specified {size}"
            )
        self._config["max_batch_size"] = size

    def set_dynamic_batching(self) -> None:
        self._config.setdefault("dynamic_batching", {})

    def set_model_transaction_policy(self, policy: Mapping[str, Any]) -> None:
        self._config["model_transaction_policy"] = dict(policy)

    def _add(self, sort: str, tensor: Mapping[str, Any]) -> None:
        if missing := {"name", "data_type", "dims"} - tensor.keys():
            raise ValueError(f"{sort} {tensor.get('name', '')!r} lacks {', '.join(sorted(missing))}")
        known = self._config.setdefault(sort, [])
        if all(each["name"] != tensor["name"] for each in known):
            known.append(dict(tensor))


class Logger:
    """Lines of a model in the server's log."""

    INFO, WARNING, ERROR, VERBOSE = range(4)
    _log: ClassVar = logging.getLogger("eventbraid.serving.embedded.models.model")
    _levels: ClassVar = {0: logging.INFO, 1: logging.WARNING, 2: logging.ERROR, 3: logging.DEBUG}

    @classmethod
    def log(cls, message: str, level: int = INFO) -> None:
        cls._log.log(cls._levels[level], "%s", message)

    @classmethod
    def log_info(cls, message: str) -> None:
        cls.log(message, cls.INFO)

    @classmethod
    def log_warn(cls, message: str) -> None:
        cls.log(message, cls.WARNING)

    @classmethod
    def log_error(cls, message: str) -> None:
        cls.log(message, cls.ERROR)

    @classmethod
    def log_verbose(cls, message: str) -> None:
        cls.log(message, cls.VERBOSE)


def get_input_tensor_by_name(request: InferenceRequest, name: str) -> Tensor | None:
    """None where the request has none of that name."""
    return next((each for each in request.inputs() if each.name() == name), None)


def get_output_tensor_by_name(response: InferenceResponse, name: str) -> Tensor | None:
    """None where the answer has none of that name."""
    return next((each for each in response.output_tensors() if each.name() == name), None)


def get_input_config_by_name(config: Mapping[str, Any], name: str) -> Any:
    """An input of a configuration; None where there is none of that name."""
    return next((each for each in config.get("input", ()) if each["name"] == name), None)


def get_output_config_by_name(config: Mapping[str, Any], name: str) -> Any:
    """The same of an output."""
    return next((each for each in config.get("output", ()) if each["name"] == name), None)


def using_decoupled_model_transaction_policy(config: Mapping[str, Any]) -> bool:
    """True where the configuration says so."""
    return bool(config.get("model_transaction_policy", {}).get("decoupled", False))


def triton_to_numpy_type(number: int) -> Any:
    """NumPy's type for the number of a type."""
    return NUMPY[number]


def numpy_to_triton_type(kind: Any) -> int:
    """The number of NumPy's type."""
    scalar = np.dtype(kind).type
    return next((number for number, each in NUMPY.items() if each is scalar), STRINGS["STRING"])


def triton_string_to_numpy(name: str) -> Any:
    """NumPy's type for "TYPE_FP32" and the like."""
    return NUMPY[STRINGS[name.removeprefix("TYPE_")]]


def serialize_byte_tensor(array: NDArray[Any]) -> NDArray[Any] | None:
    """An array of strings as bytes, each behind its length; None where it is empty."""
    if array.size == 0:
        return None
    joined = np.empty(1, object)
    joined[0] = bytes(encode(array))
    return joined.reshape(())


def deserialize_bytes_tensor(data: bytes) -> NDArray[Any]:
    """The strings of such bytes."""
    count, place = 0, 0
    while place < len(data):
        (length,) = struct.unpack_from("<I", data, place)
        place += 4 + length
        count += 1
    return decode(data, "BYTES", [count])
