"""Clients that send too much, take nothing, say nothing or speak something else: the server answers the others."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import service_pb2 as pb

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from misbehaving import channel, python_model, refusal, request, resident, stub, zeros
from networks import make_repository
from raw_client import RawClient, message

from eventbraid.serving import EmbeddedServer
from eventbraid.serving.embedded.server import MOST_CALLS

MB = 1 << 20
MOST = 64 * MB
LARGE = f'return [pb_utils.InferenceResponse([pb_utils.Tensor("y", np.zeros({15 * MB // 4}, np.float32))])]'
CONNECTIONS = 10_000


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small networks, and `large`, whose answers have 15 MB."""
    return python_model(make_repository(tmp_path_factory.mktemp("bad") / "models"), "large", LARGE)


@pytest.fixture
async def server(repository: Path) -> AsyncIterator[EmbeddedServer]:
    """A server that has to answer when the test is over."""
    async with EmbeddedServer([repository], most_memory=MOST, grace=1) as running:
        yield running
        await asyncio.wait_for(answered(running), 30)


async def answered(server: EmbeddedServer) -> None:
    """A new client gets what it asks for."""
    async with channel(server.address) as connected:
        assert (await stub(connected).ModelInfer(request())).raw_output_contents == [bytes(4)]


@contextmanager
def grows_by_less(server: EmbeddedServer, nbytes: int) -> Iterator[None]:
    """The server never has more memory than that above what it has now."""
    before = resident(server.pid)
    yield
    grown = resident(server.pid, "VmHWM") - before
    assert grown < nbytes, f"the server has grown by {grown >> 20} MB"


async def infer(client: RawClient, data: bytes) -> tuple[str, str]:
    """The status and the text of a ModelInfer call."""
    stream = client.call("ModelInfer")
    await client.send(stream, message(data), end=True)
    await client.until(lambda: client.answered(stream))
    return client.fields[stream].get("grpc-status", ""), client.fields[stream].get("grpc-message", "")


@pytest.mark.parametrize("call", ["ModelInfer", "ModelMetadata", "ModelStreamInfer"])
@pytest.mark.parametrize("size", [MOST + 1, 1 << 31, (1 << 32) - 1], ids=["the memory", "2 GiB", "4 GiB"])
async def test_a_request_above_the_servers_memory_is_refused_by_its_size(
    server: EmbeddedServer, call: str, size: int
) -> None:
    with grows_by_less(server, 32 * MB):
        async with RawClient(server.address) as client:
            stream = client.call(call)
            await client.send(stream, b"\0" + size.to_bytes(4, "big"))
            while not client.answered(stream):
                await client.send(stream, bytes(MB))
            fields = client.fields[stream]
    assert fields["grpc-status"] == "8"  # RESOURCE_EXHAUSTED
    assert f"({size} vs. {MOST})" in fields["grpc-message"]


async def test_many_large_requests_at_once_are_answered_or_refused_and_memory_is_bounded(
    server: EmbeddedServer,
) -> None:
    data = zeros(5 * MB).SerializeToString()

    async def one() -> tuple[str, str]:
        async with RawClient(server.address) as client:
            return await infer(client, data)

    with grows_by_less(server, 5 * MOST):
        said = await asyncio.wait_for(asyncio.gather(*(one() for _ in range(40))), 60)
    assert {code for code, _ in said} == {"0", "8"}
    assert all(text.startswith("the server's memory is full: ") for code, text in said if code == "8")


async def test_answers_that_a_client_does_not_take_are_bounded_and_free_when_it_goes(server: EmbeddedServer) -> None:
    with grows_by_less(server, 4 * MOST):
        for _ in range(4):
            await takes_nothing(server)


async def takes_nothing(server: EmbeddedServer) -> None:
    """A client that has room for no answer: two are kept for it, half of the memory."""
    data = request("large").SerializeToString()
    async with RawClient(server.address, window=0) as client:
        streams = [client.call("ModelInfer") for _ in range(6)]
        for stream in streams:
            await client.send(stream, message(data), end=True)

        def refused() -> list[int]:
            return [each for each in streams if client.answered(each)]

        await asyncio.wait_for(client.until(lambda: len(refused()) == 4), 30)
        await asyncio.wait_for(large_answer(server), 30)
        assert len(refused()) == 4
        for each in refused():
            assert client.fields[each]["grpc-status"] == "8"
            assert "this client has not taken" in client.fields[each]["grpc-message"]


async def test_a_client_that_stops_reading_its_socket_costs_no_more_than_the_servers_memory(
    server: EmbeddedServer,
) -> None:
    data = request("large").SerializeToString()
    with grows_by_less(server, 4 * MOST):
        async with RawClient(server.address) as client:
            await client.until(lambda: client.greeted)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(40):
                await client.send(client.call("ModelInfer"), message(data), end=True)
            async with channel(server.address) as connected:
                executed = 0
                while executed < 40:
                    found = await stub(connected).ModelStatistics(pb.ModelStatisticsRequest(name="large"))
                    executed = found.model_stats[0].execution_count
            await asyncio.wait_for(large_answer(server), 30)


async def large_answer(server: EmbeddedServer) -> None:
    async with channel(server.address) as connected:
        assert len((await stub(connected).ModelInfer(request("large"))).raw_output_contents[0]) == 15 * MB


@pytest.mark.parametrize("call", ["ModelInfer", "ModelStreamInfer", "ServerLive"])
@pytest.mark.parametrize("sent", [b"", b"\0\0", message(bytes(4096))[:2048]], ids=["nothing", "half a head", "half"])
async def test_a_call_that_stays_silent_keeps_nobody_from_an_answer_and_the_server_from_no_end(
    repository: Path, call: str, sent: bytes
) -> None:
    server = await EmbeddedServer([repository], grace=0.1).start()
    async with RawClient(server.address) as client:
        stream = client.call(call)
        await client.send(stream, sent)
        await answered(server)
        assert not client.answered(stream)
        await asyncio.wait_for(server.stop(), 10)


@pytest.mark.parametrize(
    "words",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        bytes.fromhex("16030100c8010000c403030000000000000000000000000000000000000000000000"),
        b"\0" * 4096,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096,
    ],
    ids=["HTTP/1", "TLS", "zeros", "no frames"],
)
async def test_who_speaks_something_else_is_hung_up_on(server: EmbeddedServer, words: bytes) -> None:
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(words)
    with suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 30)
    writer.transport.abort()


@pytest.mark.slow
async def test_calls_beyond_the_most_at_once_are_refused_until_others_have_ended(repository: Path) -> None:
    async with EmbeddedServer([repository], grace=1) as server:
        async with AsyncExitStack() as stack, channel(server.address) as connected:
            count, status = 0, "0"
            async with asyncio.timeout(60):
                while status == "0":  # gRPC cancels some of its own, the more the more there are of a connection
                    client = await stack.enter_async_context(RawClient(server.address))
                    for _ in range(10):
                        count += len([client.call("ModelStreamInfer") for _ in range(50)])
                        status = await live(client)
            assert count >= MOST_CALLS
            code, text = await refusal(stub(connected).ModelInfer(request()))
            assert (code, text) == ("RESOURCE_EXHAUSTED", "Concurrent RPC limit exceeded!")
        await until_answered(server)


async def live(client: RawClient) -> str:
    """The status of a small call, which is answered once the calls before it have been taken."""
    stream = client.call("ServerLive")
    await client.send(stream, message(b""), end=True)
    await client.until(lambda: client.answered(stream))
    return client.fields[stream]["grpc-status"]


async def until_answered(server: EmbeddedServer) -> None:
    """Ask until the server has seen that another client is gone."""
    import grpc

    async with asyncio.timeout(30), channel(server.address) as connected:
        while True:
            try:
                await stub(connected).ModelInfer(request())
                return
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.slow
async def test_ten_thousand_connections_are_taken_and_new_clients_answered(repository: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = hard if hard != resource.RLIM_INFINITY else 2 * CONNECTIONS
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(room, 2 * CONNECTIONS)), hard))
    try:
        count = min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)  # what this machine allows
        async with EmbeddedServer([repository], grace=1) as server, AsyncExitStack() as stack:
            for _ in range(count):
                await stack.enter_async_context(RawClient(server.address))
            await answered(server)
            last: Any = await stack.enter_async_context(RawClient(server.address))
            assert (await infer(last, request().SerializeToString()))[0] == "0"
            await stack.aclose()
            await answered(server)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
