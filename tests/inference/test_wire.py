"""Requests put together by hand are the protocol's own messages; tensors survive the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from eventbraid import ServerError
from eventbraid.errors import AnswerError
from eventbraid.kserve.tensors import decode, encode, protocol_type
from eventbraid.kserve.wire import RAW_OUTPUT_CONTENTS, parse_answer, request_head, request_parts, split, varint

DTYPES = st.sampled_from(["?", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), ARRAYS, max_size=3), st.sampled_from(["", "2"]))
def test_a_request_by_hand_is_read_by_protobuf_as_it_was_meant(inputs: dict[str, NDArray[Any]], version: str) -> None:
    data = b"".join(request_parts(request_head("model", version, inputs, ["out"]), inputs))
    request = service_pb2.ModelInferRequest.FromString(data)
    assert (request.model_name, request.model_version) == ("model", version)
    assert [output.name for output in request.outputs] == ["out"]
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        sent = inputs[tensor.name]
        assert tensor.datatype == protocol_type(sent)
        assert np.array_equal(decode(raw, tensor.datatype, tensor.shape), sent, equal_nan=sent.dtype.kind == "f")


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_strings_of_bytes_survive(words: list[bytes]) -> None:
    array = np.empty(len(words), object)
    array[:] = words
    assert decode(bytes(encode(array)), "BYTES", [len(words)]).tolist() == words


@given(st.integers(0, 2**40))
def test_varint_is_protobufs(value: int) -> None:
    from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]

    assert varint(value) == _VarintBytes(value)


@given(st.binary(max_size=60))
def test_garbage_for_an_answer_is_a_server_error(data: bytes) -> None:
    try:
        parse_answer(data, "here:1", "model")
    except ServerError as error:
        assert "here:1, model 'model': the answer cannot be read" in str(error)


def test_an_answer_with_too_few_bytes_is_a_server_error() -> None:
    answer = service_pb2.ModelInferResponse(raw_output_contents=[b"1234"])
    answer.outputs.add(name="y", datatype="FP32", shape=[2])
    with pytest.raises(ServerError, match="cannot reshape array of size 1"):
        parse_answer(answer.SerializeToString())


# --- the answer taken apart: whatever protobuf reads, we read, and what it refuses, we refuse


def number(value: int, groups: int) -> bytes:
    """A number in its variable-length form, with so many bytes more than it needs."""
    short = varint(value)
    return short if not groups else short[:-1] + bytes([short[-1] | 0x80]) + b"\x80" * (groups - 1) + b"\x00"


def field(tag: int, body: bytes, groups: int = 0) -> bytes:
    """A field of so many bytes."""
    return number(tag << 3 | 2, groups) + number(len(body), groups) + body


def output(name: str, datatype: str, shape: list[int]) -> bytes:
    return service_pb2.ModelInferResponse.InferOutputTensor(
        name=name, datatype=datatype, shape=shape
    ).SerializeToString()


WORDS = st.text(max_size=4).map(str.encode)
GROUPS = st.sampled_from([0, 0, 0, 1, 4, 5, 9])
FEW, MANY = st.integers(7, 15), st.sampled_from([16, 17, 24, 1000, (1 << 29) - 1])
CONTENTS = st.one_of(st.binary(max_size=9), st.binary(min_size=126, max_size=130))
OUTPUTS = st.builds(
    output, st.sampled_from("abc"), st.sampled_from(["FP32", "INT8"]), st.lists(st.integers(-1, 9), max_size=3)
)
KNOWN = st.one_of(
    st.builds(field, st.just(6), CONTENTS),
    st.builds(field, st.just(5), OUTPUTS),
    st.builds(field, st.sampled_from([1, 2, 3]), WORDS),
)


def others(tags: st.SearchStrategy[int]) -> st.SearchStrategy[bytes]:
    """Fields that the message has not, of each kind but groups; some hold what would be fields of the message."""
    return st.one_of(
        st.builds(field, tags, st.one_of(CONTENTS, KNOWN)),
        st.builds(lambda tag, value: varint(tag << 3) + varint(value), tags, st.integers(0, (1 << 64) - 1)),
        st.builds(lambda tag, body: varint(tag << 3 | 1) + body, tags, st.binary(min_size=8, max_size=8)),
        st.builds(lambda tag, body: varint(tag << 3 | 5) + body, tags, st.binary(min_size=4, max_size=4)),
    )


PLAIN = st.one_of(KNOWN, others(FEW))
VALID = st.one_of(
    PLAIN,
    others(MANY),
    others(st.just(6)),
    st.builds(lambda tag, body: varint(tag << 3 | 3) + body + varint(tag << 3 | 4), st.one_of(FEW, MANY), KNOWN),
    st.builds(field, st.just(6), CONTENTS, GROUPS),
)
GARBAGE = st.one_of(
    st.builds(lambda tag, body: varint(tag) + body, st.integers(0, 200), st.binary(max_size=9)),
    st.builds(lambda count, body: b"\x32" + b"\xff" * count + body, st.integers(1, 12), st.binary(max_size=9)),
)
PLAIN_MESSAGES = st.lists(PLAIN, max_size=6).map(b"".join)
VALID_MESSAGES = st.lists(VALID, max_size=6).map(b"".join)
MESSAGES = st.lists(st.one_of(VALID, VALID, GARBAGE), max_size=6).map(b"".join)


def read_by_protobuf(data: bytes) -> tuple[Any, list[bytes]] | None:
    """A message without its contents, and these; None where it is none."""
    try:
        answer = service_pb2.ModelInferResponse.FromString(data)
    except DecodeError:
        return None
    contents = list(answer.raw_output_contents)
    answer.ClearField("raw_output_contents")
    return answer, contents


@given(st.one_of(MESSAGES, VALID_MESSAGES), st.sampled_from([0, 0, 0, 1, 2, 9]))
def test_an_answer_is_taken_apart_as_protobuf_does_or_refused_by_both(data: bytes, cut: int) -> None:
    data = data[: len(data) - cut]
    expected = read_by_protobuf(data)
    try:
        head, contents = split(data, RAW_OUTPUT_CONTENTS)
        found: Any = service_pb2.ModelInferResponse.FromString(head), list(map(bytes, contents))
    except DecodeError:
        found = None
    assert found == expected


@given(PLAIN_MESSAGES)
def test_the_contents_of_a_plain_answer_are_views_of_it(data: bytes) -> None:
    _, contents = split(data, RAW_OUTPUT_CONTENTS)
    assert all(isinstance(content, memoryview) and content.obj is data for content in contents)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), ARRAYS, max_size=3))
def test_an_answer_gives_back_the_tensors_read_only(outputs: dict[str, NDArray[Any]]) -> None:
    answer = service_pb2.ModelInferResponse(model_name="model", id="7")
    for name, array in outputs.items():
        answer.outputs.add(name=name, datatype=protocol_type(array), shape=array.shape)
        answer.raw_output_contents.append(bytes(encode(array)))
    found = parse_answer(answer.SerializeToString())
    assert list(found) == list(outputs)
    for name, array in found.items():
        assert np.array_equal(array, outputs[name], equal_nan=array.dtype.kind == "f")
        assert array.shape == outputs[name].shape
        assert not array.flags.writeable


def test_an_answer_with_more_about_its_tensors_than_is_remembered_is_read_too() -> None:
    answer = service_pb2.ModelInferResponse()
    for number in range(400):
        answer.outputs.add(name=f"output {number}", datatype="INT8", shape=[1])
        answer.raw_output_contents.append(bytes([number % 100]))
    found = parse_answer(answer.SerializeToString())
    assert [array.tolist() for array in found.values()] == [[number % 100] for number in range(400)]


def test_an_answer_is_read_in_time_that_grows_with_its_bytes() -> None:
    with pytest.raises(AnswerError, match="DecodeError"):
        parse_answer(b"\x32" + b"\xff" * 20_000_000)
