"""Tensors in system shared memory, with tritonclient's own utilities."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import tritonclient.utils.shared_memory as shm
from asking import raw, refusal
from real_triton import unregister
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.utils import serialize_byte_tensor

NUMBERS = itertools.count()
SIZE = 10_000
PAGE = 4096
ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


class Region(NamedTuple):
    """An object in shared memory: tritonclient's handle, its key, and the name under which it is registered."""

    handle: Any
    key: str
    name: str


@pytest.fixture
def memory() -> Iterator[Region]:
    """An object with ROWS at its start, not registered."""
    name = f"conformance_{os.getpid()}_{next(NUMBERS)}"
    handle = shm.create_shared_memory_region(name, f"/{name}", SIZE)
    shm.set_shared_memory_region(handle, [ROWS])
    yield Region(handle, f"/{name}", name)
    shm.destroy_shared_memory_region(handle)


@pytest.fixture
async def region(client: Any, memory: Region) -> AsyncIterator[Region]:
    """The same, registered."""
    await client.register_system_shared_memory(memory.name, memory.key, SIZE)
    yield memory
    await unregister(client, memory.name)


async def ask(client: Any, region: str, *, size: int = 24, offset: int = 0, out: tuple[int, int] = (8, 100)) -> Any:
    """Send ROWS from a region to `sum`, and get its totals there: out = (size, offset)."""
    asked = InferInput("x", [2, 3], "FP32")
    asked.set_shared_memory(region, size, offset)
    wanted = InferRequestedOutput("total")
    wanted.set_shared_memory(region, *out)
    return await client.infer("sum", [asked], outputs=[wanted])


async def test_inputs_are_read_and_outputs_written_in_place(client: Any, region: Region) -> None:
    answer = await ask(client, region.name)
    assert shm.get_contents_as_numpy(region.handle, np.float32, [2, 1], 100).tolist() == [[3], [12]]
    (output,) = answer.get_response().outputs
    assert (output.name, output.datatype, list(output.shape)) == ("total", "FP32", [2, 1])
    assert list(answer.get_response().raw_output_contents) == [b""]


async def test_words_are_read_and_written_in_place(client: Any, region: Region) -> None:
    words = np.array([[b"ab", b""]], object)
    packed = serialize_byte_tensor(words)
    shm.set_shared_memory_region(region.handle, [packed], offset=200)
    asked = InferInput("in_BYTES", [1, 2], "BYTES")
    asked.set_shared_memory(region.name, len(packed.item()), 200)
    wanted = InferRequestedOutput("out_BYTES")
    wanted.set_shared_memory(region.name, 100, 300)
    await client.infer("optional", [asked], outputs=[wanted])
    assert shm.get_contents_as_numpy(region.handle, np.object_, [1, 2], 300).tolist() == words.tolist()


async def test_an_output_may_have_more_room_than_it_needs(client: Any, region: Region) -> None:
    await ask(client, region.name, out=(80, 100))
    assert shm.get_contents_as_numpy(region.handle, np.float32, [2, 1], 100).tolist() == [[3], [12]]


async def test_an_input_in_memory_may_have_its_output_in_the_answer(client: Any, region: Region) -> None:
    asked = InferInput("x", [2, 3], "FP32")
    asked.set_shared_memory(region.name, 24)
    assert (await client.infer("sum", [asked])).as_numpy("total").tolist() == [[3], [12]]


async def test_the_status_tells_what_is_registered(client: Any, region: Region) -> None:
    for name in (region.name, ""):
        found = (await client.get_system_shared_memory_status(name)).regions[region.name]
        assert (found.name, found.key, found.offset, found.byte_size) == (region.name, region.key, 0, SIZE)


async def test_the_status_of_what_is_not_registered_is_not_found(client: Any) -> None:
    refused = await refusal(client.get_system_shared_memory_status("nope"))
    assert refused.says("NOT_FOUND", "Unable to find system shared memory region: 'nope'")


async def test_what_is_not_registered_is_unregistered_already(client: Any) -> None:
    await client.unregister_system_shared_memory("nope")


async def test_all_regions_are_unregistered_at_once(client: Any, region: Region) -> None:
    await client.unregister_system_shared_memory()
    assert not (await client.get_system_shared_memory_status()).regions
    refused = await refusal(ask(client, region.name))
    assert refused.says("NOT_FOUND", f"Unable to find shared memory region: '{region.name}'")


async def test_a_region_is_registered_once(client: Any, region: Region) -> None:
    refused = await refusal(client.register_system_shared_memory(region.name, region.key, SIZE))
    assert refused.says("ALREADY_EXISTS", f"shared memory region '{region.name}' already in manager")


@pytest.mark.parametrize(("size", "offset"), [(100_000, 0), (SIZE, PAGE)])
async def test_a_region_beyond_its_object_is_refused(client: Any, memory: Region, size: int, offset: int) -> None:
    refused = await refusal(client.register_system_shared_memory(memory.name, memory.key, size, offset))
    assert refused.says("INVALID_ARGUMENT", f"failed to register shared memory region '{memory.name}': invalid args")


async def test_an_object_is_registered_under_one_name(client: Any, region: Region) -> None:
    refused = await refusal(client.register_system_shared_memory(f"{region.name}_too", region.key, SIZE))
    assert refused.says("INTERNAL", f"Invalid shared memory region: '{region.key}'")


async def test_a_region_of_no_bytes_is_refused(client: Any, memory: Region) -> None:
    status, _ = await refusal(client.register_system_shared_memory(memory.name, memory.key, 0))
    assert status == "INVALID_ARGUMENT"


async def test_an_object_that_is_not_there_is_refused(client: Any) -> None:
    refused = await refusal(client.register_system_shared_memory("none", "/conformance_none", SIZE))
    assert refused.says("INTERNAL", "Unable to open shared memory region: '/conformance_none'")


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ({"size": 20}, "INVALID_ARGUMENT", "input byte size mismatch for input 'x' for model 'sum'. Expected 24, got 20"),
        ({"size": 28}, "INVALID_ARGUMENT", "input byte size mismatch for input 'x' for model 'sum'. Expected 24, got 28"),
        ({"offset": 9990}, "INVALID_ARGUMENT", "Invalid offset + byte size for shared memory region"),
        ({"offset": 20_000}, "INVALID_ARGUMENT", "Invalid offset for shared memory region"),
        ({"out": (4, 100)}, "INTERNAL", "(4 bytes) should be at least 8 bytes to hold the results"),
        ({"out": (8, 9998)}, "INVALID_ARGUMENT", "Invalid offset + byte size for shared memory region"),
    ],
    ids=["short input", "long input", "input beyond", "input outside", "short output", "output beyond"],
)  # fmt: skip
async def test_a_wrong_place_is_refused(
    client: Any, region: Region, wrong: dict[str, Any], status: str, words: str
) -> None:
    found, text = await refusal(ask(client, region.name, **wrong))
    assert found == status
    assert words in text


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (["region"], "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter"),
        (["byte_size"], "'shared_memory_byte_size' can not be specified without 'shared_memory_region' parameter"),
        (["offset"], "'shared_memory_offset' can not be specified without 'shared_memory_region' parameter"),
    ],
)
async def test_half_a_place_is_refused(stub: Any, region: Region, parameters: list[str], words: str) -> None:
    request = raw("sum", {"x": ("FP32", [2, 3])}, [])
    for name in parameters:
        parameter = request.inputs[0].parameters[f"shared_memory_{name}"]
        if name == "region":
            parameter.string_param = region.name
        else:
            parameter.int64_param = 24
    assert (await refusal(stub.ModelInfer(request))).says("INVALID_ARGUMENT", f"{words} for tensor 'x'")


async def test_a_server_has_no_regions_of_gpus_until_they_are_registered(client: Any) -> None:
    assert not (await client.get_cuda_shared_memory_status()).regions
