"""Streams of requests and answers, and models that answer a request as often as they like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from asking import given, ones, raw, refusal
from gates import PATIENCE

X = {"x": ("FP32", [1, 3])}


def count(number: int, request_id: str = "", *, final: bool = False) -> Any:
    """A request for so many answers, and on demand an empty one at the end."""
    request = raw("decoupled", {"count": ("INT32", [1])}, [np.int32(number).tobytes()], id=request_id)
    if final:
        request.parameters["triton_enable_empty_final_response"].bool_param = True
    return request


async def stream(stub: Any, *requests: Any) -> list[Any]:
    """All answers to a stream of requests."""
    async with asyncio.timeout(PATIENCE):
        return [answer async for answer in stub.ModelStreamInfer(iter(requests))]


def numbers(answers: list[Any]) -> list[tuple[str, int]]:
    """(id, number) of the answers of the decoupled model."""
    return [
        (each.infer_response.id, int(np.frombuffer(each.infer_response.raw_output_contents[0], np.int32)[0]))
        for each in answers
    ]


async def test_a_stream_answers_in_the_order_of_its_requests(stub: Any) -> None:
    answers = await stream(stub, *(raw("sum", X, [bytes(12)], id=f"{n}") for n in range(20)))
    assert [each.infer_response.id for each in answers] == [f"{n}" for n in range(20)]
    assert {each.error_message for each in answers} == {""}


async def test_a_stream_goes_on_after_a_request_that_is_wrong(stub: Any) -> None:
    wrong = raw("nope", X, [bytes(12)], id="1")
    answers = await stream(stub, raw("sum", X, [bytes(12)], id="0"), wrong, raw("sum", X, [bytes(12)], id="2"))
    assert [bool(each.error_message) for each in answers] == [False, True, False]
    assert "Request for unknown model: 'nope' is not found" in answers[1].error_message
    assert [each.infer_response.id for each in answers] == ["0", "1", "2"]


async def test_a_stream_says_what_is_wrong_with_a_tensor(stub: Any) -> None:
    wrong = raw("sum", {"x": ("FP32", [1, 4])}, [bytes(16)], id="1")
    (answer,) = await stream(stub, wrong)
    assert "unexpected shape for input 'x' for model 'sum'. Expected [-1,3], got [1,4]" in answer.error_message


async def test_a_stream_may_ask_several_models(stub: Any) -> None:
    answers = await stream(stub, raw("sum", X, [bytes(12)]), raw("fixed", {"x": ("FP32", [2])}, [bytes(8)]))
    assert sorted(each.infer_response.model_name for each in answers) == ["fixed", "sum"]


async def test_a_stream_without_requests_ends_without_answers(stub: Any) -> None:
    assert await stream(stub) == []


async def test_a_usual_answer_is_marked_as_the_last(stub: Any) -> None:
    (answer,) = await stream(stub, raw("sum", X, [bytes(12)]))
    assert answer.infer_response.parameters["triton_final_response"].bool_param


async def test_a_decoupled_model_gives_several_answers_to_one_request(stub: Any) -> None:
    assert numbers(await stream(stub, count(3, "a"))) == [("a", 0), ("a", 1), ("a", 2)]


async def test_a_decoupled_model_may_give_no_answer(stub: Any) -> None:
    assert await stream(stub, count(0)) == []


async def test_each_request_to_a_decoupled_model_gets_its_own_answers(stub: Any) -> None:
    found = numbers(await stream(stub, count(2, "a"), count(3, "b")))
    assert sorted(found) == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]


async def test_a_decoupled_model_ends_with_an_empty_answer_on_demand(stub: Any) -> None:
    answers = [each.infer_response for each in await stream(stub, count(1, "a", final=True))]
    assert [len(each.outputs) for each in answers] == [1, 0]
    assert [each.parameters["triton_final_response"].bool_param for each in answers] == [False, True]


async def test_a_decoupled_model_without_answers_ends_with_an_empty_one_on_demand(stub: Any) -> None:
    (answer,) = [each.infer_response for each in await stream(stub, count(0, "a", final=True))]
    assert answer.id == "a"
    assert answer.parameters["triton_final_response"].bool_param


async def test_a_decoupled_model_needs_a_stream(client: Any) -> None:
    refused = await refusal(client.infer("decoupled", [given("count", np.array([1], np.int32))]))
    assert refused.says("UNIMPLEMENTED", "ModelInfer RPC doesn't support models with decoupled transaction policy")


async def test_tritonclients_asynchronous_stream_gets_answers_and_errors(client: Any) -> None:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        for model in ("sum", "nope", "sum"):
            yield {"model_name": model, "inputs": [ones(1, 3)], "request_id": model}

    found = [pair async for pair in client.stream_infer(requests())]
    assert [answer.as_numpy("total").tolist() for answer, error in found if error is None] == [[[3]], [[3]]]
    assert "Request for unknown model: 'nope' is not found" in found[1][1].message()
