"""A network in onnxruntime, as the servers here and the client in the process run it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from eventbraid.serving.backends.session import Session

COUNT = 2467


@pytest.fixture(scope="module")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Adds up what it is given."""
    ends = [helper.make_tensor_value_info(*end) for end in (("x", 1, [1, COUNT]), ("sum", TensorProto.FLOAT, [1, 1]))]
    node = helper.make_node("ReduceSum", ["x"], ["sum"], noop_with_empty_axes=0, keepdims=1)
    graph = helper.make_graph([node], "adder", ends[:1], ends[1:])
    file = tmp_path_factory.mktemp("adder") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(file))
    return Session(file)


def test_the_answer_is_the_same_to_the_last_bit_wherever_in_a_message_the_tensor_begins(adder: Session) -> None:
    numbers = np.random.default_rng(1).exponential(1, (1, COUNT)).astype(np.float32)
    answers = set()
    for offset in range(64):
        message = bytearray(64 + offset + numbers.nbytes)
        at = np.frombuffer(memoryview(message)[offset : offset + numbers.nbytes], np.float32).reshape(1, COUNT)
        np.copyto(at, numbers)
        answers.add(adder.run({"x": at}, ["sum"])["sum"].tobytes())
    assert len(answers) == 1


def test_a_tensor_of_the_other_byte_order_or_of_columns_is_read_as_what_it_is(adder: Session) -> None:
    numbers = np.arange(COUNT, dtype=np.float32)[None]
    expected = adder.run({"x": numbers}, ["sum"])["sum"]
    assert adder.run({"x": numbers.astype(">f4")}, ["sum"])["sum"] == expected
    assert adder.run({"x": np.repeat(numbers, 2, axis=1)[:, ::2]}, ["sum"])["sum"] == expected
