"""The extension "system_shared_memory" of servers, as tritonclient's own utilities use it: ours does what Triton does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_triton import unregister
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, shared_memory

from eventbraid.kserve.shared import FOLDER
from eventbraid.serving import EmbeddedServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is used on Linux only")

SIZE = 1 << 16
ROWS = np.arange(2048, dtype=np.float32).reshape(2, 1024)
NAME = f"theirs-{os.getpid()}"


@pytest.fixture(params=["embedded", pytest.param("triton", marks=pytest.mark.triton)])
async def client(request: pytest.FixtureRequest, repository: Path) -> AsyncIterator[InferenceServerClient]:
    """tritonclient, for each server in turn."""
    if request.param == "triton":
        async with InferenceServerClient(request.getfixturevalue("triton_address")) as made:
            yield made
        return
    async with EmbeddedServer([repository]) as server, InferenceServerClient(server.address) as made:
        yield made


@pytest.fixture
def region() -> Iterator[Any]:
    """A region made by tritonclient's utilities."""
    made = shared_memory.create_shared_memory_region("r", NAME, SIZE, create_only=True)
    yield made
    shared_memory.destroy_shared_memory_region(made)


@pytest.fixture
async def registered(client: InferenceServerClient, region: Any) -> AsyncIterator[Any]:
    """The region, registered with the server."""
    await client.register_system_shared_memory("r", f"/{NAME}", SIZE)
    yield region
    await unregister(client, "r")


def request(
    x: tuple[int, int] | None = (ROWS.nbytes, 0), y: tuple[int, int] | None = (ROWS.nbytes, 1 << 15), name: str = "r"
) -> tuple[list[InferInput], list[InferRequestedOutput]]:
    """Inputs and outputs of the model `wide`, x and y with so many bytes at an offset of the region, or in messages."""
    numbers, words = InferInput("x", [2, 1024], "FP32"), InferInput("words", [2, 1], "BYTES")
    words.set_data_from_numpy(np.array([[b"jet"], [b"met"]], object))
    if x:
        numbers.set_shared_memory(name, *x)
    else:
        numbers.set_data_from_numpy(ROWS)
    doubled, same = InferRequestedOutput("y"), InferRequestedOutput("same")
    if y:
        doubled.set_shared_memory(name, *y)
    return [numbers, words], [doubled, same]


async def test_inputs_are_read_from_a_region_and_outputs_written_to_it(
    client: InferenceServerClient, registered: Any
) -> None:
    shared_memory.set_shared_memory_region(registered, [ROWS])
    inputs, outputs = request()
    answer = await client.infer("wide", inputs, outputs=outputs)
    assert answer.get_output("y").shape == [2, 1024]
    found = shared_memory.get_contents_as_numpy(registered, np.float32, [2, 1024], 1 << 15)
    assert np.array_equal(found, 2 * ROWS)
    assert answer.as_numpy("same").tolist() == [[b"jet"], [b"met"]]


async def test_only_the_input_or_only_the_output_may_be_in_a_region(
    client: InferenceServerClient, registered: Any
) -> None:
    shared_memory.set_shared_memory_region(registered, [ROWS])
    inputs, outputs = request(y=None)
    assert np.array_equal((await client.infer("wide", inputs, outputs=outputs)).as_numpy("y"), 2 * ROWS)
    inputs, outputs = request(x=None)
    await client.infer("wide", inputs, outputs=outputs)
    found = shared_memory.get_contents_as_numpy(registered, np.float32, [2, 1024], 1 << 15)
    assert np.array_equal(found, 2 * ROWS)


async def test_the_extension_is_listed(client: InferenceServerClient) -> None:
    assert "system_shared_memory" in (await client.get_server_metadata()).extensions


async def test_the_status_lists_what_is_registered(client: InferenceServerClient, registered: Any) -> None:
    for name in ("", "r"):
        status = await client.get_system_shared_memory_status(name)
        assert [(each.name, each.key, each.offset, each.byte_size) for each in status.regions.values()] == [
            ("r", f"/{NAME}", 0, SIZE)
        ]


async def test_without_a_name_all_regions_are_unregistered(client: InferenceServerClient, region: Any) -> None:
    await client.register_system_shared_memory("r", f"/{NAME}", SIZE)
    await client.unregister_system_shared_memory()
    assert not (await client.get_system_shared_memory_status()).regions


async def test_what_is_not_registered_may_be_unregistered(client: InferenceServerClient) -> None:
    await client.unregister_system_shared_memory("nothing")


async def test_a_part_of_an_object_is_a_region_with_offsets_of_its_own(
    client: InferenceServerClient, region: Any
) -> None:
    if (await client.get_server_metadata()).version == "2.51.0":
        pytest.skip("Triton 2.51 adds the offset of the region twice")
    shared_memory.set_shared_memory_region(region, [ROWS], 1 << 14)
    await client.register_system_shared_memory("r", f"/{NAME}", 1 << 15, offset=1 << 14)
    try:
        inputs, outputs = request(y=(ROWS.nbytes, 1 << 13))
        await client.infer("wide", inputs, outputs=outputs)
    finally:
        await client.unregister_system_shared_memory("r")
    found = shared_memory.get_contents_as_numpy(region, np.float32, [2, 1024], (1 << 14) + (1 << 13))
    assert np.array_equal(found, 2 * ROWS)


@pytest.mark.parametrize(
    ("key", "size", "code", "text"),
    [
        ("/nothing-there", SIZE, "INTERNAL", "Unable to open shared memory region: '/nothing-there'"),
        (f"/{NAME}", 2 * SIZE, "INVALID_ARGUMENT", "failed to register shared memory region 'r': invalid args"),
        (f"/{NAME}", 0, "INVALID_ARGUMENT", "failed to register shared memory region 'r'"),
    ],
)
async def test_what_cannot_be_registered_is_refused_with_a_reason(
    client: InferenceServerClient, region: Any, key: str, size: int, code: str, text: str
) -> None:
    with pytest.raises(InferenceServerException, match=text) as raised:
        await client.register_system_shared_memory("r", key, size)
    assert raised.value.status() == f"StatusCode.{code}"


async def test_a_name_is_registered_once(client: InferenceServerClient, registered: Any) -> None:
    with pytest.raises(InferenceServerException, match="shared memory region 'r' already in manager") as raised:
        await client.register_system_shared_memory("r", f"/{NAME}", SIZE)
    assert raised.value.status() == "StatusCode.ALREADY_EXISTS"


async def test_the_status_of_an_unknown_region_is_an_error(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="Unable to find system shared memory region: 'q'") as raised:
        await client.get_system_shared_memory_status("q")
    assert raised.value.status() == "StatusCode.NOT_FOUND"


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"name": "q"}, "NOT_FOUND", "Unable to find shared memory region: 'q'"),
        ({"x": (ROWS.nbytes, SIZE)}, "INVALID_ARGUMENT", "Invalid offset for shared memory region: 'r'"),
        (
            {"x": (ROWS.nbytes, SIZE - 8)},
            "INVALID_ARGUMENT",
            "Invalid offset . byte size for shared memory region: 'r'",
        ),
        (
            {"y": (ROWS.nbytes, SIZE - 8)},
            "INVALID_ARGUMENT",
            "Invalid offset . byte size for shared memory region: 'r'",
        ),
        ({"x": (ROWS.nbytes // 2, 0)}, "INVALID_ARGUMENT", "input.* 'x'"),
        (
            {"y": (16, 1 << 15)},
            "INTERNAL",
            r"specified with the request for output 'y' \(16 bytes\) should be at least 8192 bytes to hold the results",
        ),
    ],
)
async def test_tensors_that_are_not_in_their_region_are_refused_with_a_reason(
    client: InferenceServerClient, registered: Any, changes: Any, code: str, text: str
) -> None:
    inputs, outputs = request(**changes)
    with pytest.raises(InferenceServerException, match=text) as raised:
        await client.infer("wide", inputs, outputs=outputs)
    assert raised.value.status() == f"StatusCode.{code}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "shared_memory_region",
            "'shared_memory_byte_size' can not be specified without 'shared_memory_region' parameter for tensor 'x'",
        ),
        (
            "shared_memory_byte_size",
            "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor 'x'",
        ),
    ],
)
async def test_a_tensor_with_half_a_place_is_refused(
    client: InferenceServerClient, registered: Any, name: str, text: str
) -> None:
    inputs, outputs = request()
    del inputs[0]._get_tensor().parameters[name]
    with pytest.raises(InferenceServerException, match=text) as raised:
        await client.infer("wide", inputs, outputs=outputs)
    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


async def test_no_key_leads_out_of_the_folder_of_objects(client: InferenceServerClient, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(SIZE))
    key = f"..{'/..' * len(FOLDER.parents)}{tmp_path}/secret"
    with pytest.raises(InferenceServerException, match="Unable to open shared memory region"):
        await client.register_system_shared_memory("r", key, SIZE)


async def test_a_region_that_is_in_use_is_not_taken_from_under_a_request(
    client: InferenceServerClient, region: Any
) -> None:
    await client.register_system_shared_memory("r", f"/{NAME}", SIZE)
    x, turns = InferInput("x", [64, 1024], "FP32"), InferInput("turns", [1], "INT64")
    x.set_data_from_numpy(np.ones((64, 1024), np.float32))
    turns.set_shared_memory("r", 8, 16)
    shared_memory.set_shared_memory_region(region, [np.array([300_000])], 16)
    asking = asyncio.create_task(client.infer("slow", [x, turns]))
    await asyncio.sleep(0.1)
    try:
        await client.unregister_system_shared_memory("r")
    except InferenceServerException as error:  # what Triton 2.50 and 2.51 say; later ones wait
        assert "currently in use" in error.message()
    assert "r" in (await client.get_system_shared_memory_status()).regions
    await asking
    await unregister(client, "r")
    assert "r" not in (await client.get_system_shared_memory_status()).regions
