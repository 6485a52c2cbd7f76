"""Answers as messages."""

from __future__ import annotations

from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from eventbraid.serving.backends.base import Parameter
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.requests import answer_bytes


def kind_of(value: Parameter) -> str | None:
    answer = service_pb2.ModelInferResponse.FromString(answer_bytes("m", "1", "", (), {"said": value}))
    kind: str | None = answer.parameters["said"].WhichOneof("parameter_choice")
    return kind


def test_parameters_keep_their_types_though_they_are_equal() -> None:
    assert [kind_of(each) for each in (True, 1, 1.0, "1")] == [
        "bool_param",
        "int64_param",
        "double_param",
        "string_param",
    ]


def test_a_parameter_that_the_protocol_cannot_carry_is_the_models_failure() -> None:
    wrong: Any = [1]
    with pytest.raises(ModelFailure, match="parameter 'said' of the model's answer is list: expected bool, int"):
        answer_bytes("m", "1", "", (), {"said": wrong})
