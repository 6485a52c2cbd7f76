"""Tensors that a message only names: the fields of a request, and the sizes of outputs."""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.grpc import InferInput, InferRequestedOutput, service_pb2

from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.kserve.shared import Location, Placed, output_sizes, register_request, tensor_fields
from eventbraid.kserve.wire import parse_answer, request_head, request_parts


@pytest.mark.parametrize("offset", [0, 64])
def test_a_request_names_places_as_tritonclient_does(offset: int) -> None:
    words = np.array([b"jet", b"met"], object)
    inputs = [Placed("x", "FP32", (2, 3), Location("r", offset, 24)), Placed("words", "BYTES", (2,), None)]
    outputs = [("y", Location("s", offset, 48)), ("same", None)]
    head = request_head("model", "1", {}, ()) + tensor_fields(inputs, outputs)
    ours = service_pb2.ModelInferRequest.FromString(b"".join(request_parts(head, {"words": words})))

    x, strings = InferInput("x", [2, 3], "FP32"), InferInput("words", [2], "BYTES")
    x.set_shared_memory("r", 24, offset)
    strings.set_data_from_numpy(words)
    y = InferRequestedOutput("y")
    y.set_shared_memory("s", 48, offset)
    theirs = service_pb2.ModelInferRequest(model_name="model", model_version="1")
    theirs.inputs.extend([x._get_tensor(), strings._get_tensor()])
    theirs.outputs.extend([y._get_tensor(), InferRequestedOutput("same")._get_tensor()])
    theirs.raw_input_contents.append(strings._get_content())
    assert ours == theirs


def test_a_region_is_registered_whole_under_its_own_name() -> None:
    request = service_pb2.SystemSharedMemoryRegisterRequest.FromString(register_request("r", 4096))
    assert (request.name, request.key, request.offset, request.byte_size) == ("r", "/r", 0, 4096)


MODEL = ModelMetadata(
    "model",
    ("1",),
    (TensorSpec("x", "FP32", (-1, 3)),),
    (
        TensorSpec("y", "FP32", (-1, 15)),
        TensorSpec("fixed", "FP64", (2, 2)),
        TensorSpec("hits", "INT32", (-1, -1)),
        TensorSpec("words", "BYTES", (-1, 1)),
        TensorSpec("half", "BF16", (-1, 1)),
    ),
)


def test_sizes_of_outputs_follow_from_the_rows_where_they_can() -> None:
    assert output_sizes(MODEL, 10) == {"y": 600, "fixed": 32, "hits": 0, "words": 0, "half": 0}


def test_without_a_batch_only_fixed_sizes_are_known() -> None:
    assert output_sizes(MODEL, None) == {"y": 0, "fixed": 32, "hits": 0, "words": 0, "half": 0}


def test_only_outputs_that_are_wanted_have_a_size() -> None:
    assert output_sizes(MODEL, 1, ["fixed"]) == {"fixed": 32}


def test_an_output_that_the_server_put_elsewhere_is_taken_from_there() -> None:
    answer = service_pb2.ModelInferResponse(raw_output_contents=[b"", b"\1\2"])
    answer.outputs.add(name="y", datatype="FP32", shape=[2, 3])
    answer.outputs.add(name="z", datatype="UINT8", shape=[2])
    asked: list[object] = []

    def view(dtype: str, shape: object) -> np.ndarray:
        asked.append((dtype, shape))
        return np.ones((2, 3), np.float32)

    found = parse_answer(answer.SerializeToString(), placed={"y": view})
    assert asked == [("FP32", (2, 3))]
    assert found["y"].sum() == 6
    assert found["z"].tolist() == [1, 2]


def test_an_output_that_a_server_sends_all_the_same_is_taken_out_of_the_answer() -> None:
    answer = service_pb2.ModelInferResponse(raw_output_contents=[b"\1\2"])
    answer.outputs.add(name="y", datatype="UINT8", shape=[2])
    assert parse_answer(answer.SerializeToString(), placed={"y": lambda *_: np.zeros(2)})["y"].tolist() == [1, 2]
