"""ModelInfer messages as bytes: the request put together without protobuf's copies, the answer taken apart.

A request is a head that repeats (model, version, names, types, shapes, wanted outputs), made by protobuf and
cached by the caller, and the tensors behind it, each a field `raw_input_contents` written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from numpy.typing import NDArray

from eventbraid.errors import AnswerError, need_extra
from eventbraid.kserve.metadata import ModelMetadata, TensorSpec
from eventbraid.kserve.tensors import Tensors, decode, encode, protocol_type

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["metadata_from", "parse_answer", "protocol", "request_head", "request_parts", "varint"]

View: TypeAlias = Callable[[str, Sequence[int]], NDArray[Any]]

RAW_INPUT_CONTENTS: Final = 7 << 3 | 2
"""The tag of field 7 of ModelInferRequest, length-delimited."""


def protocol() -> ModuleType:
    """The protocol's messages: tritonclient's own, since a process can register them only once."""
    return need_extra("tritonclient.grpc.service_pb2", "inference", "talking to an inference server")


def varint(value: int) -> bytes:
    """Protobuf's variable-length form of a number."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def request_head(
    model: str, version: str, inputs: Mapping[str, NDArray[Any]], outputs: Iterable[str], priority: int = 0
) -> bytes:
    """All of a request but its tensors."""
    messages = protocol()
    request = messages.ModelInferRequest(model_name=model, model_version=version)
    for name, array in inputs.items():
        request.inputs.add(name=name, datatype=protocol_type(array), shape=array.shape)
    for name in outputs:
        request.outputs.add(name=name)
    if priority:
        request.parameters["priority"].uint64_param = priority
    head: bytes = request.SerializeToString()
    return head


def request_parts(head: bytes, inputs: Mapping[str, NDArray[Any]]) -> list[bytes | memoryview]:
    """A request in parts of bytes; contiguous tensors are not copied."""
    parts: list[bytes | memoryview] = [head]
    for array in inputs.values():
        data = encode(array)
        parts += (bytes((RAW_INPUT_CONTENTS,)) + varint(len(data)), data)
    return parts


def parse_answer(
    data: bytes, server: str = "", model: str = "", placed: Mapping[str, View] = MappingProxyType({})
) -> Tensors:
    """The tensors of an answer; raises `AnswerError` where it makes no sense.

    For outputs that the server was to put elsewhere, `placed` makes the tensor of a type and a shape.
    """
    messages = protocol()
    try:
        answer = messages.ModelInferResponse.FromString(data)
        if len(answer.raw_output_contents) != len(answer.outputs):
            raise ValueError(f"{len(answer.outputs)} outputs with {len(answer.raw_output_contents)} contents")
        return {
            output.name: decode(content, output.datatype, output.shape)
            if content or output.name not in placed
            else placed[output.name](output.datatype, output.shape)
            for output, content in zip(answer.outputs, answer.raw_output_contents, strict=True)
        }
    except Exception as error:
        message = f"the answer cannot be read: {type(error).__name__}: {error}"
        raise AnswerError(message, server=server, model=model) from error


def metadata_from(answer: Any, config: Any = None) -> ModelMetadata:
    """The metadata of a ModelMetadataResponse and, where the server has it, of a ModelConfig."""
    most = int(config.max_batch_size) if config is not None else 0
    return ModelMetadata(answer.name, tuple(answer.versions), _specs(answer.inputs), _specs(answer.outputs), most)


def _specs(tensors: Sequence[Any]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(each.name, each.datatype, tuple(each.shape)) for each in tensors)
