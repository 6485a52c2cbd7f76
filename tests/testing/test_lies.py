"""Every lie is one: a fault that is none would prove nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from eventbraid.errors import AnswerError
from eventbraid.kserve import ModelMetadata, TensorSpec, check_response
from eventbraid.kserve.tensors import NUMPY_TYPES, encode
from eventbraid.kserve.wire import parse_answer
from eventbraid.testing.disturbance import changed
from eventbraid.testing.fault import KINDS, Fault
from eventbraid.testing.lies import LIES
from eventbraid.testing.script import Script

SPECS = st.lists(st.tuples(st.sampled_from(sorted(NUMPY_TYPES)), st.integers(1, 4)), min_size=1, max_size=3)


def answer(specs: Sequence[tuple[str, int]] = (("FP32", 3),), *, shared: bool = False) -> Any:
    """One with an output of two columns for each type and number of rows."""
    good = service_pb2.ModelInferResponse(model_name="m")
    for name, (datatype, rows) in zip("yzw", specs, strict=False):
        good.outputs.add(name=name, datatype=datatype, shape=[rows, 2])
        array = np.full((rows, 2), b"two" if datatype == "BYTES" else 1, NUMPY_TYPES[datatype])
        good.raw_output_contents.append(b"" if shared else bytes(encode(array)))
    return good


def promised(specs: list[tuple[str, int]]) -> ModelMetadata:
    """What the metadata say of it: that each output has just these rows."""
    outputs = (TensorSpec(name, datatype, (rows, 2)) for name, (datatype, rows) in zip("yzw", specs, strict=False))
    return ModelMetadata("m", ("1",), (), tuple(outputs))


@given(SPECS)
def test_an_answer_that_is_no_lie_is_taken(specs: list[tuple[str, int]]) -> None:
    check_response(promised(specs), parse_answer(answer(specs).SerializeToString()))


@pytest.mark.parametrize("lie", LIES)
@given(specs=SPECS)
def test_every_lie_is_one_for_outputs_of_every_type(lie: str, specs: list[tuple[str, int]]) -> None:
    told = LIES[lie](answer(specs))
    with pytest.raises(AnswerError):
        check_response(promised(specs), parse_answer(told))


def test_every_lie_is_a_kind_of_fault() -> None:
    assert set(LIES) < set(KINDS)


def test_rows_that_are_missing_are_missing_of_an_answer_that_can_be_read() -> None:
    for datatype in NUMPY_TYPES:
        told = parse_answer(LIES["too_few_rows"](answer([(datatype, 3)])))
        assert told["y"].shape == (2, 2)


def test_another_type_has_the_same_numbers() -> None:
    told = parse_answer(LIES["wrong_type"](answer()))
    assert told["y"].dtype == np.float64
    assert told["y"].tolist() == [[1, 1]] * 3


@pytest.mark.parametrize("lie", sorted(set(LIES) - {"missing_content"}))
def test_of_an_output_in_shared_memory_another_thing_is_said(lie: str) -> None:
    good = answer(shared=True).SerializeToString()
    assert LIES[lie](answer(shared=True)) != good


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_without_a_row_or_without_an_output_is_lied_about_without_an_error(lie: str) -> None:
    bare = service_pb2.ModelInferResponse()
    scalar = service_pb2.ModelInferResponse(raw_output_contents=[bytes(4)])
    scalar.outputs.add(name="y", datatype="FP32")
    none = service_pb2.ModelInferResponse(raw_output_contents=[b""])
    none.outputs.add(name="y", datatype="FP32", shape=[0])
    assert all(isinstance(LIES[lie](each), bytes) for each in (bare, scalar, none))


def told(call: str, given: bytes, *kinds: str) -> bytes:
    script = Script([Fault(kind=kind) for kind in kinds])
    return changed(call, given, script.take(call, "m"))


def test_in_a_stream_the_answer_within_is_the_lie() -> None:
    stream = service_pb2.ModelStreamInferResponse(infer_response=answer())
    found = service_pb2.ModelStreamInferResponse.FromString(
        told("ModelStreamInfer", stream.SerializeToString(), "wrong_name")
    )
    assert found.infer_response.outputs[0].name == "y_"


def test_an_error_in_a_stream_is_left_as_it_is() -> None:
    error = service_pb2.ModelStreamInferResponse(error_message="no").SerializeToString()
    assert told("ModelStreamInfer", error, "wrong_name") == error


def test_several_faults_change_an_answer_one_after_the_other() -> None:
    found = told("ModelInfer", answer().SerializeToString(), "wrong_name", "wrong_shape", "garbage", "wrong_type")
    assert found == b"\xff" * 64
    both = service_pb2.ModelInferResponse.FromString(
        told("ModelInfer", answer().SerializeToString(), "wrong_name", "wrong_shape")
    )
    assert (both.outputs[0].name, list(both.outputs[0].shape)) == ("y_", [3, 2, 1])
