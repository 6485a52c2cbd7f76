"""What servers tell of themselves and of their models."""

from __future__ import annotations

from typing import Any

import pytest
from asking import refusal
from repository import KINDS
from tritonclient.grpc import service_pb2


async def test_a_server_is_live_and_ready(client: Any) -> None:
    assert await client.is_server_live()
    assert await client.is_server_ready()


async def test_a_server_names_itself_and_what_it_can(client: Any) -> None:
    told = await client.get_server_metadata()
    assert told.name
    assert told.version
    assert {"model_repository", "model_configuration", "system_shared_memory", "statistics"} <= {*told.extensions}


async def test_a_model_that_is_served_is_ready(client: Any) -> None:
    assert await client.is_model_ready("sum")
    assert await client.is_model_ready("sum", "1")


async def test_a_model_that_is_not_served_is_not_ready(client: Any) -> None:
    assert not await client.is_model_ready("nope")
    assert not await client.is_model_ready("sum", "2")


async def test_a_model_with_batches_is_described_with_its_batch(client: Any) -> None:
    told = await client.get_model_metadata("sum", as_json=True)
    assert (told["name"], told["versions"]) == ("sum", ["1"])
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "3"]}]
    assert told["outputs"] == [
        {"name": "total", "datatype": "FP32", "shape": ["-1", "1"]},
        {"name": "twice", "datatype": "FP32", "shape": ["-1", "1"]},
    ]


async def test_a_model_without_batches_is_described_as_it_is(client: Any) -> None:
    told = await client.get_model_metadata("fixed", as_json=True)
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["2"]}]
    assert told["outputs"] == [{"name": "y", "datatype": "FP32", "shape": ["2"]}]


@pytest.mark.parametrize("model", ["identities", "optional"])
async def test_every_type_has_the_protocols_name(client: Any, model: str) -> None:
    told = await client.get_model_metadata(model)
    assert [each.datatype for each in told.inputs] == [*KINDS]
    assert [list(each.shape) for each in told.outputs] == [[-1, -1]] * len(KINDS)


async def test_a_configuration_is_told_as_it_is_written(client: Any) -> None:
    config = (await client.get_model_config("ranked")).config
    assert (config.name, config.backend, config.max_batch_size) == ("ranked", "python", 1)
    assert [each.name for each in config.input] == ["x", "folder"]
    assert [list(each.dims) for each in config.output] == [[1], [1]]
    assert config.dynamic_batching.priority_levels == 3
    assert config.dynamic_batching.default_priority_level == 2


async def test_a_configuration_is_completed_from_the_network(client: Any) -> None:
    config = (await client.get_model_config("sum")).config
    assert config.max_batch_size == 8
    assert [(each.name, list(each.dims)) for each in config.input] == [("x", [3])]
    assert [(each.name, list(each.dims)) for each in config.output] == [("total", [1]), ("twice", [1])]


async def test_a_configuration_is_completed_with_its_defaults(client: Any) -> None:
    config = (await client.get_model_config("sum")).config
    assert config.version_policy.latest.num_versions == 1
    assert [(each.name, each.count) for each in config.instance_group] == [("sum", 1)]
    assert (await client.get_model_config("batched")).config.dynamic_batching.preferred_batch_size == [4]


@pytest.mark.parametrize("call", ["get_model_metadata", "get_model_config"])
async def test_what_is_not_served_is_not_described(client: Any, call: str) -> None:
    unknown = ("NOT_FOUND", "Request for unknown model: 'nope' is not found")
    assert (await refusal(getattr(client, call)("nope"))).says(*unknown)
    other = ("NOT_FOUND", "Request for unknown model: 'sum' version 9 is not found")
    assert (await refusal(getattr(client, call)("sum", "9"))).says(*other)


async def test_the_index_lists_the_models_that_are_ready(client: Any) -> None:
    index = (await client.get_model_repository_index()).models
    found = {each.name: (each.version, each.state, each.reason) for each in index}
    assert found["sum"] == found["single"] == ("1", "READY", "")


async def test_a_repository_of_another_name_is_not_known(stub: Any) -> None:
    refused = await refusal(stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(repository_name="other")))
    assert refused.says("UNIMPLEMENTED", "'repository_name' specification is not supported")


HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""HealthCheckResponse(status=SERVING), as it is sent."""


@pytest.mark.parametrize("request_bytes", [b"", b"\x0a\x1einference.GRPCInferenceService"], ids=["all", "service"])
async def test_grpcs_own_health_check_says_serving(channel: Any, request_bytes: bytes) -> None:
    assert await channel.unary_unary(HEALTH)(request_bytes) == SERVING
