"""Requests put together by hand are the protocol's own messages; tensors survive the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from eventbraid import ServerError
from eventbraid.kserve.tensors import decode, encode, protocol_type
from eventbraid.kserve.wire import parse_answer, request_head, request_parts, varint

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
