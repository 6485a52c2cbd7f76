"""Models that are loaded and unloaded while the server runs."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asking import ones, refusal
from gates import PATIENCE, Gate
from repository import GATED, SOURCES, VERSIONS, X_TO_Y
from servers import Served
from tritonclient.grpc import service_pb2

NUMBERS = itertools.count()


@pytest.fixture
def name() -> str:
    """The name of a model that no other test has."""
    return f"later_{next(NUMBERS)}"


async def states(client: Any, model: str) -> dict[str, tuple[str, str]]:
    """{version: (state, reason)} of a model in the index."""
    index = (await client.get_model_repository_index()).models
    return {each.version: (each.state, each.reason) for each in index if each.name == model}


async def unloaded(client: Any, model: str) -> dict[str, tuple[str, str]]:
    """Unload a model and wait until that is done: Triton answers before. Its states then."""
    await client.unload_model(model)
    async with asyncio.timeout(PATIENCE):
        while ("UNLOADING", "") in (found := await states(client, model)).values():
            pass
    return found


@pytest.fixture
async def broken(client: Any, server: Served, name: str) -> AsyncIterator[str]:
    """The name of a model that cannot be loaded; it is mended at the end, for without that no server is ready."""
    file = server.models.add(name, "broken", X_TO_Y) / "1/model.py"
    yield name
    file.write_text((SOURCES / "completed.py").read_text())
    await client.load_model(name)


async def test_a_model_that_was_added_is_in_the_index_before_it_is_loaded(
    client: Any, server: Served, name: str
) -> None:
    server.models.add(name, "versions", VERSIONS)
    assert await states(client, name) == {"": ("", "")}
    assert not await client.is_model_ready(name)


async def test_a_model_that_is_loaded_answers(client: Any, server: Served, name: str) -> None:
    server.models.add(name, "versions", VERSIONS)
    await client.load_model(name)
    assert await client.is_model_ready(name)
    assert (await client.infer(name, [ones(1)])).as_numpy("version").tolist() == [1]
    assert await states(client, name) == {"1": ("READY", "")}


async def test_a_model_that_is_unloaded_is_not_found(client: Any, server: Served, name: str) -> None:
    server.models.add(name, "versions", VERSIONS)
    await client.load_model(name)
    await client.unload_model(name)
    assert not await client.is_model_ready(name)
    gone = ("NOT_FOUND", f"Request for unknown model: '{name}' has no available versions")
    assert (await refusal(client.infer(name, [ones(1)]))).says(*gone)
    assert (await refusal(client.get_model_metadata(name))).says(*gone)
    unknown = ("INVALID_ARGUMENT", f"requested model '{name}' is not available")
    assert (await refusal(client.get_inference_statistics(name))).says(*unknown)


async def test_a_model_that_is_unloaded_is_in_the_index_as_such(
    client: Any, stub: Any, server: Served, name: str
) -> None:
    server.models.add(name, "versions", VERSIONS)
    await client.load_model(name)
    assert await unloaded(client, name) == {"1": ("UNAVAILABLE", "unloaded")}
    ready = await stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(ready=True))
    assert name not in {each.name for each in ready.models}


async def test_a_model_is_initialized_once_and_finalized_when_it_is_unloaded(
    client: Any, server: Served, name: str
) -> None:
    journal = server.models.add_life(name)
    await client.load_model(name)
    for _ in range(2):
        await client.infer(name, [ones(2)])
    await unloaded(client, name)
    assert journal.read_text().split() == ["initialized", "executed", "executed", "finalized"]


async def test_a_model_that_is_loaded_again_is_initialized_anew(client: Any, server: Served, name: str) -> None:
    journal = server.models.add_life(name)
    await client.load_model(name)
    await client.load_model(name)
    await unloaded(client, name)
    assert sorted(journal.read_text().split()) == ["finalized", "finalized", "initialized", "initialized"]


async def test_a_model_that_has_changed_is_replaced_when_it_is_loaded_again(
    client: Any, server: Served, name: str
) -> None:
    folder = server.models.add(name, "versions", VERSIONS)
    await client.load_model(name)
    (folder / "1").rename(folder / "5")
    await client.load_model(name)
    assert (await client.infer(name, [ones(1)])).as_numpy("version").tolist() == [5]


async def test_a_model_may_be_loaded_with_another_configuration(client: Any, server: Served, name: str) -> None:
    server.models.add_life(name)
    await client.load_model(name)
    config = await client.get_model_config(name, as_json=True)
    await client.load_model(name, config=json.dumps({**config["config"], "max_batch_size": 4}))
    assert (await client.get_model_config(name)).config.max_batch_size == 4
    assert (await client.infer(name, [ones(3, 2)])).as_numpy("y").shape == (3, 2)


async def test_a_configuration_that_is_no_json_is_refused(client: Any, server: Served, name: str) -> None:
    server.models.add_life(name)
    await client.load_model(name)
    refused = await refusal(client.load_model(name, config="{nonsense"))
    assert refused.says("INTERNAL", f"failed to load '{name}', failed to poll from model repository")
    assert await client.is_model_ready(name)


async def test_a_model_that_is_not_there_cannot_be_loaded(client: Any, name: str) -> None:
    refused = await refusal(client.load_model(name))
    assert refused.says("INTERNAL", f"failed to load '{name}', failed to poll from model repository")


async def test_a_model_that_is_not_there_is_unloaded_already(client: Any, name: str) -> None:
    await client.unload_model(name)


async def test_a_model_that_cannot_be_loaded_is_refused_with_its_reason(client: Any, broken: str) -> None:
    refused = await refusal(client.load_model(broken))
    assert refused.says("INVALID_ARGUMENT", f"load failed for model '{broken}'")
    assert "no weights today" in refused.words


async def test_a_model_that_cannot_be_loaded_is_in_the_index_with_its_reason(client: Any, broken: str) -> None:
    await refusal(client.load_model(broken))
    state, reason = (await states(client, broken))["1"]
    assert state == "UNAVAILABLE"
    assert "no weights today" in reason


async def test_a_model_that_could_not_be_loaded_is_not_found(client: Any, broken: str) -> None:
    await refusal(client.load_model(broken))
    gone = ("NOT_FOUND", f"Request for unknown model: '{broken}' has no available versions")
    assert (await refusal(client.infer(broken, [ones(2)]))).says(*gone)


async def test_a_server_with_a_model_that_cannot_be_loaded_is_live_but_not_ready(client: Any, broken: str) -> None:
    await refusal(client.load_model(broken))
    assert await client.is_server_live()
    assert not await client.is_server_ready()


async def test_a_request_in_flight_is_answered_when_its_model_is_unloaded(
    client: Any, server: Served, gate: Gate, name: str
) -> None:
    server.models.add(name, "gated", GATED)
    await client.load_model(name)
    held = asyncio.create_task(client.infer(name, gate.inputs(0, 1)))
    await gate.entered()
    await client.unload_model(name, client_timeout=2)
    assert not await client.is_model_ready(name)
    gate.open()
    assert (await held).as_numpy("y").tolist() == [0]


async def test_statistics_begin_anew_with_a_model_that_is_loaded_again(client: Any, server: Served, name: str) -> None:
    server.models.add(name, "versions", VERSIONS)
    await client.load_model(name)
    await client.infer(name, [ones(1)])
    await unloaded(client, name)
    await client.load_model(name)
    (found,) = (await client.get_inference_statistics(name)).model_stats
    assert found.inference_count == 0


async def test_another_repository_is_not_known(stub: Any) -> None:
    for call, kind in ((stub.RepositoryModelLoad, "Load"), (stub.RepositoryModelUnload, "Unload")):
        request = getattr(service_pb2, f"RepositoryModel{kind}Request")(repository_name="other", model_name="sum")
        refused = await refusal(call(request))
        assert refused.says("UNIMPLEMENTED", "'repository_name' specification is not supported")
