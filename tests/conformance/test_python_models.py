"""Python models: the interface of TritonPythonModel, one file for both servers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from asking import given, ones, refusal
from tritonclient.grpc import InferRequestedOutput


def how(word: str) -> Any:
    return given("how", np.array([[word]], object))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("UNKNOWN", "UNKNOWN"),
        ("INTERNAL", "INTERNAL"),
        ("NOT_FOUND", "NOT_FOUND"),
        ("INVALID_ARG", "INVALID_ARGUMENT"),
        ("UNAVAILABLE", "UNAVAILABLE"),
        ("UNSUPPORTED", "UNIMPLEMENTED"),
        ("ALREADY_EXISTS", "ALREADY_EXISTS"),
        ("CANCELLED", "CANCELLED"),
    ],
)
async def test_an_error_of_the_model_has_the_status_of_its_code(client: Any, code: str, status: str) -> None:
    assert (await refusal(client.infer("alone", [how(code)]))).says(status, f"failed with {code}")


async def test_an_error_without_a_code_is_internal(client: Any) -> None:
    assert (await refusal(client.infer("alone", [how("plain")]))).says("INTERNAL", "an error without a code")


async def test_an_exception_of_the_model_is_internal_and_told(client: Any) -> None:
    refused = await refusal(client.infer("alone", [how("raise")]))
    assert refused.says("INTERNAL", "Failed to process the request(s) for model 'alone")
    assert "ValueError: raised by the model" in refused.words


async def test_a_model_answers_after_it_has_raised(client: Any) -> None:
    await refusal(client.infer("alone", [how("raise")]))
    assert (await client.infer("alone", [how("well")])).as_numpy("y").tolist() == [[1]]


async def test_an_error_for_one_request_of_a_batch_leaves_the_others(client: Any) -> None:
    good, bad = await asyncio.gather(
        client.infer("faulty", [how("well")]), refusal(client.infer("faulty", [how("NOT_FOUND")]))
    )
    assert good.as_numpy("y").tolist() == [[1]]
    assert bad.says("NOT_FOUND", "failed with NOT_FOUND")


async def test_an_exception_fails_all_requests_of_a_batch(client: Any) -> None:
    failed = await asyncio.gather(*(refusal(client.infer("faulty", [how(word)])) for word in ("well", "raise")))
    assert [status for status, _ in failed] == ["INTERNAL", "INTERNAL"]


async def test_an_output_is_given_with_the_type_that_the_model_made(client: Any) -> None:
    (output,) = (await client.infer("alone", [how("type")])).get_response().outputs
    assert output.datatype == "INT64"


async def test_an_output_that_the_model_did_not_give_is_left_out(client: Any) -> None:
    assert list((await client.infer("alone", [how("name")])).get_response().outputs) == []


async def tell(client: Any, **more: Any) -> dict[str, Any]:
    """What the model `request` was told."""
    answer = await client.infer("request", [ones(1)], **more)
    told: dict[str, Any] = json.loads(answer.as_numpy("told")[0])
    return told


async def test_a_model_gets_the_id_of_a_request_and_the_answer_has_it(client: Any) -> None:
    assert (await tell(client, request_id="abc"))["id"] == "abc"
    answer = await client.infer("request", [ones(1)], request_id="abc")
    assert answer.get_response().id == "abc"


async def test_a_model_gets_the_parameters_of_a_request(client: Any) -> None:
    given_ones = {"count": 1, "flag": True, "word": "x", "ratio": 1.5}
    assert (await tell(client, parameters=given_ones))["parameters"] == given_ones


async def test_a_model_does_not_get_the_parameters_of_the_protocol(client: Any) -> None:
    assert (await tell(client, priority=1, timeout=60_000_000))["parameters"] == {}


async def test_a_model_gets_the_number_of_a_sequence(client: Any) -> None:
    assert (await tell(client, sequence_id=5, sequence_start=True))["correlation"] == 5


async def test_a_model_is_told_which_outputs_are_wanted(client: Any) -> None:
    assert (await tell(client))["outputs"] == ["again", "told"]
    assert (await tell(client, outputs=[InferRequestedOutput("told")]))["outputs"] == ["told"]


async def test_a_model_is_initialized_with_what_it_is_and_where(client: Any, server: Any) -> None:
    args = (await tell(client))["args"]
    assert {name: value for name, value in args.items() if name != "model_repository"} == {
        "model_instance_kind": "CPU",
        "model_instance_name": "request_0",
        "model_instance_device_id": "0",
        "model_version": "1",
        "model_name": "request",
    }
    assert args["model_repository"].endswith("/request")


async def test_a_model_is_initialized_with_its_whole_configuration(client: Any) -> None:
    config = (await tell(client))["config"]
    assert (config["name"], config["backend"], config["max_batch_size"]) == ("request", "python", 0)
    assert config["input"][0]["name"] == "x"
    assert config["input"][0]["data_type"] == "TYPE_FP32"
    assert config["input"][0]["dims"] == [1]
    assert config["input"][0]["optional"] is False
    assert [each["data_type"] for each in config["output"]] == ["TYPE_STRING", "TYPE_STRING"]
    assert config["parameters"] == {}
    assert config["version_policy"] == {"latest": {"num_versions": 1}}


async def test_a_model_may_complete_its_own_configuration(client: Any) -> None:
    config = (await client.get_model_config("completed")).config
    assert config.max_batch_size == 4
    assert [(each.name, list(each.dims)) for each in config.input] == [("x", [2])]
    assert [(each.name, list(each.dims)) for each in config.output] == [("y", [2])]
    assert config.HasField("dynamic_batching")


async def test_a_model_that_completed_its_configuration_answers(client: Any) -> None:
    assert (await client.infer("completed", [ones(3, 2)])).as_numpy("y").shape == (3, 2)


async def test_an_optional_input_may_be_left_out(client: Any) -> None:
    answer = await client.infer("optional", [given("in_INT8", np.array([[7]], np.int8))])
    assert [each.name for each in answer.get_response().outputs] == ["out_INT8"]
