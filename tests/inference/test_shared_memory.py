"""Requests through shared memory, to the embedded server and to the real Triton."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from eventbraid.inference.memory import SharedMemory
from eventbraid.inference.servers.given import servers_of
from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.kserve import Tensors
from eventbraid.kserve.shared import FOLDER
from eventbraid.kserve.wire import parse_answer, request_head, request_parts
from eventbraid.serving import EmbeddedServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is used on Linux only")

OURS = f"eventbraid-{os.getpid()}-"
ROW = 1024 * 4
"""Bytes of a row of the model `wide`."""


@pytest.fixture(params=["embedded", pytest.param("triton", marks=pytest.mark.triton)])
async def address(request: pytest.FixtureRequest, repository: Path) -> AsyncIterator[str]:
    """Each server in turn."""
    if request.param == "triton":
        yield request.getfixturevalue("triton_address")
        return
    async with EmbeddedServer([repository]) as server:
        yield server.address


class Client:
    """The least client: one server, one connection, no retry but the cure."""

    def __init__(self, address: str, memory: SharedMemory) -> None:
        (server,) = servers_of([address], {})
        self.address, self.memory, self.incarnation = address, memory, 0
        self.transport = Http2Transport(server)
        self.calls: list[str] = []

    async def call(self, method: str, data: bytes, seconds: float = 10) -> bytes:
        self.calls.append(method)
        return await self.transport.call(method, [data], timeout=seconds)

    async def infer(self, model: str, inputs: Tensors, sizes: dict[str, int], seconds: float = 20) -> Tensors:
        while True:
            loan = await self.memory.lend(self.address, self.incarnation, self.call, model, inputs, sizes, seconds)
            if loan is None:
                parts = request_parts(request_head(model, "", inputs, sizes), inputs)
                return parse_answer(await self.transport.call("ModelInfer", parts, timeout=seconds))
            try:
                with loan:
                    parts = loan.parts(request_head(model, "", {}, ()))
                    return loan.read(await self.transport.call("ModelInfer", parts, timeout=seconds))
            except TransportError as error:
                if not loan.cure(error):
                    raise

    async def wide(self, x: Any, rows: int | None = None) -> Tensors:
        words = np.array([b"jet"] * len(x), object).reshape(-1, 1)
        return await self.infer("wide", {"x": x, "words": words}, {"y": (rows or len(x)) * ROW, "same": 0})

    async def slow(self, turns: int, seconds: float = 20) -> Tensors:
        inputs = {"x": np.ones((64, 1024), np.float32), "turns": np.array([turns])}
        return await self.infer("slow", inputs, {"y": 64 * ROW}, seconds)

    async def registered(self) -> set[str]:
        """Our regions that the server knows."""
        answer = service_pb2.SystemSharedMemoryStatusResponse.FromString(
            await self.call("SystemSharedMemoryStatus", b"")
        )
        return {name for name in answer.regions if name.startswith(OURS)}

    async def unregister(self, name: str) -> None:
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        await self.call("SystemSharedMemoryUnregister", request.SerializeToString())


@pytest.fixture
async def client(address: str) -> AsyncIterator[Client]:
    """A client with shared memory."""
    made = Client(address, SharedMemory(64 << 20))
    yield made
    await made.memory.aclose()
    await made.transport.aclose()


def regions() -> set[str]:
    """The names of all of our regions."""
    return {path.name for path in FOLDER.iterdir() if path.name.startswith(OURS)}


async def test_large_tensors_go_through_shared_memory_and_the_others_with_the_message(client: Client) -> None:
    x = np.random.default_rng(1).normal(size=(100, 1024)).astype(np.float32)
    answer = await client.wide(x)
    assert np.array_equal(answer["y"], 2 * x)
    assert answer["same"].tolist() == [[b"jet"]] * 100
    assert client.memory.requests == 1
    assert client.memory.pool.span_of(answer["y"]) is not None


async def test_small_tensors_go_with_the_message_alone(client: Client) -> None:
    answer = await client.wide(np.ones((2, 1024), np.float32))
    assert answer["y"].sum() == 4096
    assert client.memory.pool.regions() == []


async def test_an_array_filled_in_place_is_sent_from_where_it_is(client: Client) -> None:
    x = client.memory.empty((100, 1024))
    x[:] = 3
    before = client.memory.pool.in_use
    answer = await client.wide(x)
    assert (answer["y"] == 6).all()
    assert client.memory.pool.in_use == before + 1


async def test_rows_of_an_array_are_sent_from_where_they_are(client: Client) -> None:
    x = client.memory.empty((100, 1024))
    x[:] = np.arange(100)[:, None]
    answers = await asyncio.gather(client.wide(x[:50]), client.wide(x[50:]))
    assert np.concatenate([answer["y"][:, 7] for answer in answers]).tolist() == list(range(0, 200, 2))
    assert client.memory.pool.in_use == 3


async def test_an_answer_is_sent_on_from_where_it_is(client: Client) -> None:
    first = await client.wide(np.ones((100, 1024), np.float32))
    second = await client.wide(first["y"])
    assert (second["y"] == 4).all()
    assert client.memory.pool.in_use == 2


@pytest.mark.parametrize(
    "x", [np.ones((100, 1024), ">f4"), np.ones((1024, 100), np.float32).T], ids=["swapped", "transposed"]
)
async def test_arrays_of_another_layout_are_sent_as_they_read(client: Client, x: Any) -> None:
    assert ((await client.wide(x))["y"] == 2).all()


async def test_an_answer_is_read_only_and_outlives_the_client(client: Client) -> None:
    y = (await client.wide(np.ones((100, 1024), np.float32)))["y"]
    await client.memory.aclose()
    assert regions() == set()
    assert not y.flags.writeable
    assert (y == 2).all()


async def test_a_region_is_registered_once_for_requests_at_the_same_time(client: Client) -> None:
    for _ in range(2):
        answers = await asyncio.gather(*(client.wide(np.full((100, 1024), n, np.float32)) for n in range(24)))
        assert [answer["y"][0, 0] for answer in answers] == [2 * n for n in range(24)]
        registered = client.calls.count("SystemSharedMemoryRegister")
        assert registered == len(await client.registered()) <= len(client.memory.pool.regions())


async def test_a_server_that_forgot_the_regions_is_told_again(client: Client) -> None:
    x = np.ones((100, 1024), np.float32)
    await client.wide(x)
    for name in await client.registered():
        await client.unregister(name)
    assert ((await client.wide(x))["y"] == 2).all()
    assert client.memory.requests == 3


async def test_a_server_that_always_forgets_gets_its_requests_without(client: Client) -> None:
    lend = client.memory.lend

    async def lend_and_forget(*given: Any) -> Any:
        loan = await lend(*given)
        for name in await client.registered():
            await client.unregister(name)
        return loan

    client.memory.lend = lend_and_forget  # type: ignore[method-assign]
    assert ((await client.wide(np.ones((100, 1024), np.float32)))["y"] == 2).all()
    (reason,) = client.memory.reasons
    assert reason == f"{client.address}: it forgets regions; are there several servers behind its address?"


async def test_an_output_that_is_larger_than_was_believed_comes_with_the_answer(client: Client) -> None:
    x = np.ones((100, 1024), np.float32)
    for _ in range(2):
        answer = await client.wide(x, rows=50)
        assert (answer["y"] == 2).all()
        assert client.memory.pool.span_of(answer["y"]) is None
    assert client.memory.requests == 3


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_places_of_a_request_without_an_answer_retire_until_the_server_is_done(client: Client, how: str) -> None:
    await client.slow(0)
    (region,) = client.memory.pool.regions()
    asking = asyncio.create_task(client.slow(500_000, seconds=0.2 if how == "timed out" else 20))
    await asyncio.wait([asking], timeout=0.2)
    asking.cancel()
    await asyncio.wait([asking])
    assert client.memory.pool.regions() == []
    assert client.memory.pool.reserved == region.size
    for _ in range(100):
        await client.slow(0)
        assert region not in client.memory.pool.regions()
        if not client.memory.pool.has_dropped:
            break
        await asyncio.sleep(0.05)
    assert region.name not in await client.registered()
    assert client.memory.pool.reserved == sum(each.size for each in client.memory.pool.regions())


async def test_a_late_answer_of_the_server_changes_nothing(client: Client) -> None:
    asking = asyncio.create_task(client.slow(300_000))
    await asyncio.sleep(0.1)
    asking.cancel()
    await asyncio.wait([asking])
    arrays = [client.memory.empty((64, 1024)) for _ in range(40)]
    for array in arrays:
        array[:] = 5
    await client.slow(0)  # behind the one that was cancelled
    assert all((array == 5).all() for array in arrays)


async def test_an_error_of_the_request_gives_its_places_back(client: Client) -> None:
    with pytest.raises(TransportError):
        await client.infer("wide", {"x": np.ones((100, 1000), np.float32)}, {"y": 100 * ROW})
    assert client.memory.pool.in_use == 0
    assert client.memory.pool.regions() != []


async def test_at_the_end_the_server_knows_no_region_and_there_is_no_object(client: Client) -> None:
    await asyncio.gather(*(client.wide(np.ones((100, 1024), np.float32)) for _ in range(8)))
    assert await client.registered()
    await client.memory.aclose()
    assert await client.registered() == set()
    assert regions() == set()


async def test_what_a_killed_process_left_is_removed_here_and_on_the_server(client: Client) -> None:
    code = """
import asyncio, sys, os, signal
sys.path.insert(0, sys.argv[2])
from test_shared_memory import Client, SharedMemory, np
async def main():
    client = Client(sys.argv[1], SharedMemory())
    answer = await client.wide(np.ones((100, 1024), np.float32))
    print(*await client.registered(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())"""
    command = [sys.executable, "-c", code, client.address, str(Path(__file__).parent)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    left = set(output.decode().split())
    assert left
    assert all((FOLDER / name).exists() for name in left)
    memory = SharedMemory()
    assert set(memory.swept) == left
    heir = Client(client.address, memory)
    await heir.wide(np.ones((100, 1024), np.float32))
    status = service_pb2.SystemSharedMemoryStatusResponse.FromString(await heir.call("SystemSharedMemoryStatus", b""))
    assert not left & set(status.regions)
    await memory.aclose()
    await heir.transport.aclose()


async def test_a_server_that_does_not_see_our_memory_gets_its_requests_without(client: Client) -> None:
    x = client.memory.empty((100, 1024))
    x[:] = 1
    for region in client.memory.pool.regions():
        region.unlink()  # as on another host, or in another container
    for _ in range(2):
        assert ((await client.wide(x))["y"] == 2).all()
    ((reason, count),) = client.memory.reasons.items()
    assert reason.startswith(f"{client.address}: it cannot open a region of this host: Unable to open shared memory")
    assert (count, client.memory.requests) == (2, 0)
    assert client.memory.pool.in_use == 1


async def test_a_server_without_the_extension_gets_its_requests_without() -> None:
    metadata = service_pb2.ServerMetadataResponse(name="other", version="1.0", extensions=["statistics"])
    calls: list[str] = []

    async def call(method: str, request: bytes, seconds: float) -> bytes:
        calls.append(method)
        return metadata.SerializeToString()

    memory = SharedMemory()
    for _ in range(2):
        loan = await memory.lend("a", 0, call, "wide", {"x": np.ones((100, 1024), np.float32)}, {}, 1)
        assert loan is None
    assert calls == ["ServerMetadata"]
    assert memory.reasons == {"a: other 1.0 has no system_shared_memory": 2}
    assert memory.pool.in_use == 0
    await memory.aclose()


async def test_a_registration_that_is_given_up_is_made_by_the_next_request(client: Client) -> None:
    call, asked = client.call, asyncio.Event()

    async def register_and_wait(method: str, request: bytes, seconds: float = 10) -> bytes:
        answer = await call(method, request, seconds)
        if method == "SystemSharedMemoryRegister":
            asked.set()
            await asyncio.Event().wait()
        return answer

    client.call = register_and_wait  # type: ignore[method-assign]
    x = client.memory.empty((100, 1024))
    x[:] = 1
    first = asyncio.create_task(client.wide(x))
    await asked.wait()
    first.cancel()
    await asyncio.wait([first])
    client.call = call  # type: ignore[method-assign]
    client.incarnation = 1
    assert ((await client.wide(x))["y"] == 2).all()
    assert client.memory.requests == 1


async def test_a_server_that_is_away_when_a_region_is_registered_is_an_error_that_leaves_no_place_in_use() -> None:
    async def call(method: str, request: bytes, seconds: float) -> bytes:
        raise TransportError("UNAVAILABLE", "not reachable")

    memory = SharedMemory()
    with pytest.raises(TransportError):
        await memory.lend("a", 0, call, "wide", {"x": np.ones((100, 1024), np.float32)}, {"y": 100 * ROW}, 1)
    assert memory.pool.in_use == 0
    await memory.aclose()


async def test_a_frozen_server_holds_no_request_beyond_its_deadline() -> None:
    async def call(method: str, request: bytes, seconds: float) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    memory = SharedMemory()
    for _ in range(2):
        with pytest.raises(TransportError, match="no region could be registered before the deadline"):
            await memory.lend("a", 0, call, "wide", {"x": np.ones((100, 1024), np.float32)}, {}, 0.02)
    assert memory.pool.in_use == 0
    await memory.aclose()


async def test_a_server_that_would_crash_is_not_asked_to_let_go_of_what_it_may_use() -> None:
    metadata = service_pb2.ServerMetadataResponse(
        name="triton", version="2.40.0", extensions=["system_shared_memory"]
    ).SerializeToString()
    calls: list[str] = []

    async def call(method: str, request: bytes, seconds: float) -> bytes:
        calls.append(method)
        if method == "SystemSharedMemoryStatus":
            raise TransportError("NOT_FOUND", "Unable to find system shared memory region")
        return metadata if method == "ServerMetadata" else b""

    memory = SharedMemory()
    sure, lost = memory.empty(1 << 20, np.uint8), memory.empty(1 << 21, np.uint8)
    loan = await memory.lend("a", 0, call, "wide", {"x": sure}, {}, 1)
    assert loan is not None
    with loan:
        pass
    loan = await memory.lend("a", 0, call, "wide", {"x": lost}, {}, 1)
    assert loan is not None
    with pytest.raises(TransportError), loan:
        raise TransportError("DEADLINE_EXCEEDED")
    await memory.aclose()
    assert calls.count("SystemSharedMemoryRegister") == 2
    assert calls.count("SystemSharedMemoryUnregister") == 1
    assert regions() == set()


async def test_a_server_that_still_uses_a_region_at_the_end_is_asked_again() -> None:
    metadata = service_pb2.ServerMetadataResponse(
        name="triton", version="2.51.0", extensions=["system_shared_memory"]
    ).SerializeToString()
    calls: list[str] = []

    async def call(method: str, request: bytes, seconds: float) -> bytes:
        calls.append(method)
        if method == "SystemSharedMemoryUnregister" and calls.count(method) < 3:
            raise TransportError("INTERNAL", "Cannot unregister shared memory region, it is currently in use.")
        if method == "SystemSharedMemoryStatus":
            if calls.count("SystemSharedMemoryUnregister") == 4:
                raise TransportError("NOT_FOUND", "Unable to find system shared memory region")
            return service_pb2.SystemSharedMemoryStatusResponse().SerializeToString()
        return metadata if method == "ServerMetadata" else b""

    memory = SharedMemory()
    loan = await memory.lend("a", 0, call, "wide", {"x": memory.empty(1 << 20, np.uint8)}, {}, 1)
    assert loan is not None
    with loan:
        pass
    await memory.aclose()
    assert calls.count("SystemSharedMemoryUnregister") == 4


async def test_where_a_server_is_still_at_work_at_the_end_the_next_client_lets_it_let_go(client: Client) -> None:
    asking = asyncio.create_task(client.slow(300_000))
    await asyncio.sleep(0.1)
    asking.cancel()
    await asyncio.wait([asking])
    await client.memory.aclose()
    assert regions() == set()
    heir = Client(client.address, SharedMemory())
    await heir.slow(0)  # behind the one that was cancelled
    heir.incarnation = 1
    await heir.slow(0)
    assert await heir.registered() == {region.name for region in heir.memory.pool.regions()}
    await heir.memory.aclose()
    await heir.transport.aclose()


async def test_memory_that_a_killed_server_had_is_free_when_another_is_there(repository: Path) -> None:
    memory = SharedMemory()
    async with EmbeddedServer([repository]) as first:
        port = int(first.address.rpartition(":")[2])
        client = Client(first.address, memory)
        asking = asyncio.create_task(client.slow(5_000_000))
        await asyncio.sleep(0.1)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(TransportError, match="UNAVAILABLE"):
            await asking
    assert (memory.pool.regions(), memory.pool.has_dropped) == ([], True)
    async with EmbeddedServer([repository], port=port):
        client.incarnation = 1
        await client.slow(0)
        assert not memory.pool.has_dropped
        await memory.aclose()
    await client.transport.aclose()


@pytest.mark.parametrize("full", [False, True])
async def test_with_little_shared_memory_every_request_is_answered(repository: Path, full: bool) -> None:
    code = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from test_shared_memory import Client, EmbeddedServer, SharedMemory, np
async def main():
    memory = SharedMemory()
    if sys.argv[3] == "True":
        open("/dev/shm/other", "wb").write(bytes((3 << 20) + (1 << 19)))
    async with EmbeddedServer([sys.argv[2]]) as server:
        client = Client(server.address, memory)
        for n in range(4):
            answers = await asyncio.gather(*(client.wide(np.full((100, 1024), n, np.float32)) for _ in range(8)))
            assert all((answer["y"] == 2 * n).all() for answer in answers)
        print(memory.report()["instead"])
        await memory.aclose()
        await client.transport.aclose()
asyncio.run(main())"""
    inside = 'mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, "sh"]
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(repository), str(full)]
    probe = await asyncio.create_subprocess_exec(*command, "true", stderr=subprocess.DEVNULL)
    if await probe.wait():
        pytest.skip("this system allows no mount of one's own")
    process = await asyncio.create_subprocess_exec(*command, *arguments, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert ("/dev/shm is full" if full else "the limit of 2097152 bytes is reached") in output.decode()


async def test_where_shared_memory_is_full_tensors_go_with_the_message(client: Client) -> None:
    client.memory.pool.limit = 1 << 20
    xs = [np.full((200, 1024), n, np.float32) for n in range(8)]
    answers = await asyncio.gather(*map(client.wide, xs))
    assert [answer["y"][0, 0] for answer in answers] == [2 * n for n in range(8)]
    assert client.memory.report()["instead"]["the limit of 1048576 bytes is reached"] >= 8


async def test_a_restarted_server_is_told_of_the_regions_again(repository: Path) -> None:
    memory = SharedMemory()
    x = memory.empty((100, 1024))
    x[:] = 1
    async with EmbeddedServer([repository]) as first:
        port = int(first.address.rpartition(":")[2])
        client = Client(first.address, memory)
        await client.wide(x)
    async with EmbeddedServer([repository], port=port):
        client.incarnation = 1
        assert ((await client.wide(x))["y"] == 2).all()
        assert memory.requests == 2
        await memory.aclose()
    await client.transport.aclose()
