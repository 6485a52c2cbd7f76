"""Tensors of every type of the protocol, in all the ways in which they are sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import given, raw
from numpy.typing import NDArray
from repository import KINDS
from tritonclient.grpc import service_pb2

EXTREMES: dict[str, NDArray[Any]] = {
    "BOOL": np.array([[True, False, True]]),
    "FP16": np.array([[65504, -0.0, np.inf]], np.float16),
    "FP32": np.array([[3.4028235e38, -0.0, np.nan]], np.float32),
    "FP64": np.array([[1.7976931348623157e308, -0.0, np.nan]]),
    "BYTES": np.array([[b"", "é".encode(), b"a\0b" * 1000]], object),
    **{
        name: np.array([[np.iinfo(name.lower()).min, 0, np.iinfo(name.lower()).max]], name.lower())
        for name in KINDS
        if "INT" in name
    },
}
TYPED: dict[str, tuple[str, list[Any], bytes]] = {
    "BOOL": ("bool_contents", [True, False], b"\x01\x00"),
    "INT8": ("int_contents", [-1, 2], b"\xff\x02"),
    "INT16": ("int_contents", [-1, 2], b"\xff\xff\x02\x00"),
    "INT32": ("int_contents", [-1, 2], b"\xff\xff\xff\xff\x02\x00\x00\x00"),
    "INT64": ("int64_contents", [-1, 2], b"\xff" * 8 + b"\x02" + bytes(7)),
    "UINT8": ("uint_contents", [255, 2], b"\xff\x02"),
    "UINT16": ("uint_contents", [1, 2], b"\x01\x00\x02\x00"),
    "UINT32": ("uint_contents", [1, 2], b"\x01\x00\x00\x00\x02\x00\x00\x00"),
    "UINT64": ("uint64_contents", [1, 2**64 - 1], b"\x01" + bytes(7) + b"\xff" * 8),
    "FP32": ("fp32_contents", [1.5, -2], np.array([1.5, -2], "<f4").tobytes()),
    "FP64": ("fp64_contents", [1.5, -2], np.array([1.5, -2], "<f8").tobytes()),
    "BYTES": ("bytes_contents", [b"a", b"\xff"], b"\x01\x00\x00\x00a\x01\x00\x00\x00\xff"),
}


def typed(datatype: str, field: str, values: list[Any], *shape: int) -> Any:
    """A request whose one input is sent as numbers in a field of the message."""
    request = service_pb2.ModelInferRequest(model_name="optional")
    tensor = request.inputs.add(name=f"in_{datatype}", datatype=datatype, shape=shape)
    getattr(tensor.contents, field).extend(values)
    return request


@pytest.mark.parametrize("datatype", KINDS)
async def test_a_python_model_gives_back_what_it_is_given(client: Any, datatype: str) -> None:
    sent = EXTREMES[datatype]
    answer = await client.infer("optional", [given(f"in_{datatype}", sent)])
    found = answer.as_numpy(f"out_{datatype}")
    assert found.dtype == sent.dtype
    assert found.shape == sent.shape
    np.testing.assert_array_equal(found, sent)


async def test_an_onnx_model_gives_back_what_it_is_given(client: Any) -> None:
    sent = {**EXTREMES, "BYTES": np.array([[b"", "é".encode(), b"abc" * 1000]], object)}
    answer = await client.infer("identities", [given(f"in_{name}", array) for name, array in sent.items()])
    for name, array in sent.items():
        np.testing.assert_array_equal(answer.as_numpy(f"out_{name}"), array, name)


@pytest.mark.parametrize("model", ["identities", "optional"])
async def test_tensors_without_rows_go_and_come_back(stub: Any, model: str) -> None:
    request = raw(model, {f"in_{name}": (name, [0, 2]) for name in KINDS}, [b""] * len(KINDS))
    answer = await stub.ModelInfer(request)
    assert [(each.name, each.datatype, list(each.shape)) for each in answer.outputs] == [
        (f"out_{name}", name, [0, 2]) for name in KINDS
    ]
    assert list(answer.raw_output_contents) == [b""] * len(KINDS)


@pytest.mark.parametrize("datatype", TYPED)
async def test_typed_contents_are_as_good_as_raw_ones(stub: Any, datatype: str) -> None:
    field, values, contents = TYPED[datatype]
    answer = await stub.ModelInfer(typed(datatype, field, values, 1, 2))
    assert answer.raw_output_contents[0] == contents


async def test_a_model_may_see_its_rows_in_another_shape(client: Any) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    answer = await client.infer("reshaped", [given("in_FP32", rows)])
    np.testing.assert_array_equal(answer.as_numpy("out_FP32"), rows.reshape(3, 2, 2))


async def test_a_tensor_may_be_larger_than_grpcs_own_limit(client: Any) -> None:
    sent = np.arange(3_000_000, dtype=np.float32).reshape(3, -1)
    answer = await client.infer("optional", [given("in_FP32", sent)])
    np.testing.assert_array_equal(answer.as_numpy("out_FP32"), sent)


async def test_outputs_come_in_the_models_order_whatever_the_order_of_asking(stub: Any) -> None:
    request = raw("sum", {"x": ("FP32", [1, 3])}, [bytes(12)])
    for name in ("twice", "total"):
        request.outputs.add(name=name)
    answer = await stub.ModelInfer(request)
    assert [each.name for each in answer.outputs] == ["total", "twice"]


async def test_an_output_that_is_asked_for_twice_is_given_once(stub: Any) -> None:
    request = raw("sum", {"x": ("FP32", [1, 3])}, [bytes(12)])
    for _ in range(2):
        request.outputs.add(name="total")
    answer = await stub.ModelInfer(request)
    assert [each.name for each in answer.outputs] == ["total"]


async def test_outputs_that_are_not_asked_for_are_not_given(stub: Any) -> None:
    request = raw("sum", {"x": ("FP32", [1, 3])}, [bytes(12)])
    request.outputs.add(name="twice")
    answer = await stub.ModelInfer(request)
    assert [each.name for each in answer.outputs] == ["twice"]


async def test_a_model_whose_inputs_are_all_optional_answers_a_request_with_none(stub: Any) -> None:
    answer = await stub.ModelInfer(raw("optional", {}, []))
    assert list(answer.outputs) == []
