"""ModelInfer messages as bytes: the request put together without protobuf's copies, the answer taken apart.

A request is a head that repeats (model, version, names, types, shapes, wanted outputs), made by protobuf and
cached by the caller, and the tensors behind it, each a field `raw_input_contents` written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
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
RAW_OUTPUT_CONTENTS: Final = 6 << 3 | 2
"""That of field 6 of ModelInferResponse."""
LONGEST_KNOWN: Final = 4096
"""Bytes of an answer without its tensors up to which it is remembered."""


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
    """The tensors of an answer, views of it but for strings; raises `AnswerError` where it makes no sense.

    For outputs that the server was to put elsewhere, `placed` makes the tensor of a type and a shape.
    """
    try:
        head, contents = split(data, RAW_OUTPUT_CONTENTS)
        outputs = _known_outputs(head) if len(head) <= LONGEST_KNOWN else _outputs(head)
        if len(contents) != len(outputs):
            raise ValueError(f"{len(outputs)} outputs with {len(contents)} contents")
        return {
            name: decode(content, datatype, shape) if content or name not in placed else placed[name](datatype, shape)
            for (name, datatype, shape), content in zip(outputs, contents, strict=True)
        }
    except Exception as error:
        message = f"the answer cannot be read: {type(error).__name__}: {error}"
        raise AnswerError(message, server=server, model=model) from error


def split(data: bytes, tensors: int) -> tuple[bytes, Sequence[bytes | memoryview]]:
    """A message without its raw contents, whose tag is `tensors`, and these: views where every field is a plain one.

    Raises protobuf's DecodeError where it is no message; the first part has still to be read.
    """
    try:
        return _split(data, tensors)
    except IndexError:
        messages = protocol()
        kind = messages.ModelInferRequest if tensors == RAW_INPUT_CONTENTS else messages.ModelInferResponse
        name = "raw_input_contents" if tensors == RAW_INPUT_CONTENTS else "raw_output_contents"
        message = kind.FromString(data)
        contents = list(getattr(message, name))
        message.ClearField(name)
        return message.SerializeToString(), contents


def _split(data: bytes, tensors: int) -> tuple[bytes, list[memoryview]]:
    """The same by hand; IndexError where it is cut off, or has a field that no version of the protocol has."""
    view, heads, contents = memoryview(data), list[bytes](), list[memoryview]()
    end, place, kept = len(data), 0, 0
    while place < end:
        tag, after = data[place], place + 1
        kind = tag & 7 if tag <= 0x7F else -1
        if kind == 2:  # so many bytes
            length, after = data[after], after + 1
            if length > 0x7F:
                length, after = _long(data, after - 1)
            if tag == tensors:
                heads.append(data[kept:place])
                kept = after + length
                contents.append(view[after:kept])
            after += length
        elif kind == 0:  # a number
            while data[after] > 0x7F:
                after += 1
            after += 1
        elif kind in (1, 5):  # eight bytes, or four
            after += 8 if kind == 1 else 4
        else:
            raise IndexError
        place = after
    if place > end:
        raise IndexError
    heads.append(data[kept:])
    return b"".join(heads), contents


def _long(data: bytes, place: int) -> tuple[int, int]:
    """A length of several bytes, and the place behind it; IndexError for more than five, which none needs."""
    length = 0
    for shift in range(0, 35, 7):
        group = data[place]
        place += 1
        length |= (group & 0x7F) << shift
        if group <= 0x7F:
            return length, place
    raise IndexError


def _outputs(head: bytes) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """Name, type and shape of the outputs of an answer."""
    answer = protocol().ModelInferResponse.FromString(head)
    return tuple((each.name, each.datatype, tuple(each.shape)) for each in answer.outputs)


_known_outputs = lru_cache(maxsize=1024)(_outputs)


def metadata_from(answer: Any, config: Any = None) -> ModelMetadata:
    """The metadata of a ModelMetadataResponse and, where the server has it, of a ModelConfig."""
    most = int(config.max_batch_size) if config is not None else 0
    versions = tuple(answer.versions)
    return ModelMetadata(answer.name, versions, _specs(answer.inputs), _specs(answer.outputs), most, config)


def _specs(tensors: Sequence[Any]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(each.name, each.datatype, tuple(each.shape)) for each in tensors)
