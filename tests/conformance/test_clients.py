"""tritonclient's synchronous client, which is a program of its own."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as tritonclient
from asking import given, ones
from gates import PATIENCE, Gate
from servers import CHANNEL, Served
from tritonclient.utils import InferenceServerException


@pytest.fixture
def sync(server: Served) -> Iterator[tritonclient.InferenceServerClient]:
    """The client."""
    with tritonclient.InferenceServerClient(server.address, channel_args=CHANNEL) as made:
        yield made


@pytest.fixture
def answers() -> queue.Queue[tuple[Any, Any]]:
    """Where callbacks put answers and errors."""
    return queue.Queue()


def test_it_asks_and_is_answered(sync: Any) -> None:
    assert sync.infer("sum", [ones(2, 3)]).as_numpy("twice").tolist() == [[6], [6]]


def test_it_is_answered_with_compression(sync: Any) -> None:
    answer = sync.infer("sum", [ones(2, 3)], compression_algorithm="gzip")
    assert answer.as_numpy("twice").tolist() == [[6], [6]]


def test_it_raises_what_the_server_refuses(sync: Any) -> None:
    with pytest.raises(InferenceServerException, match="Request for unknown model: 'nope' is not found"):
        sync.infer("nope", [ones(2, 3)])


def test_it_calls_back(sync: Any, answers: Any) -> None:
    sync.async_infer("sum", [ones(2, 3)], lambda result, error: answers.put((result, error)))
    result, error = answers.get(timeout=PATIENCE)
    assert error is None
    assert result.as_numpy("total").tolist() == [[3], [3]]


def test_a_call_back_may_be_cancelled(sync: Any, answers: Any, gate: Gate) -> None:
    call = sync.async_infer("single", gate.inputs(0, 1), lambda result, error: answers.put((result, error)))
    call.cancel()
    result, error = answers.get(timeout=PATIENCE)
    assert result is None
    assert "Locally cancelled by application" in str(error)


def test_it_streams(sync: Any, answers: Any) -> None:
    sync.start_stream(lambda result, error: answers.put((result, error)))
    for n in range(3):
        sync.async_stream_infer("sum", [ones(1, 3)], request_id=f"{n}")
    sync.stop_stream()  # after the last answer
    found = [answers.get_nowait() for _ in range(answers.qsize())]
    assert [result.get_response().id for result, _ in found] == ["0", "1", "2"]


def test_it_streams_the_answers_of_decoupled_models(sync: Any, answers: Any) -> None:
    sync.start_stream(lambda result, error: answers.put((result, error)))
    inputs = [given("count", np.array([2], np.int32))]
    sync.async_stream_infer("decoupled", inputs, enable_empty_final_response=True)
    sync.stop_stream()
    found = [answers.get_nowait()[0].get_response() for _ in range(answers.qsize())]
    assert [each.parameters["triton_final_response"].bool_param for each in found] == [False, False, True]


def test_it_reads_descriptions_and_statistics(sync: Any) -> None:
    assert sync.is_server_ready()
    assert sync.get_model_metadata("sum").inputs[0].name == "x"
    assert sync.get_model_config("sum").config.max_batch_size == 8
    assert sync.get_inference_statistics("sum").model_stats[0].name == "sum"
    assert "sum" in {each.name for each in sync.get_model_repository_index().models}


def test_it_loads_and_unloads(sync: Any) -> None:
    sync.unload_model("newest")
    assert not sync.is_model_ready("newest")
    sync.load_model("newest")
    assert sync.is_model_ready("newest")
