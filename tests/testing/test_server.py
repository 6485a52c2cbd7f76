"""What a client sees of each fault, of a server that stands before another and of one that has the faults itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

sys.path.insert(0, str(Path(__file__).parent))
from answering import Client, Servicer, answer

from eventbraid import ConfigurationError
from eventbraid.testing import Disturbance, Fault, FaultyServer, Script
from eventbraid.testing.cutting import cut, peer_of


class Sleeps:
    """Sleeps no time and notes how much it was to be."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


Serve = Callable[..., Awaitable[Client]]


@pytest.fixture(params=["before", "within"])
async def serve(request: pytest.FixtureRequest, servicer: Servicer, sleeps: Sleeps) -> AsyncIterator[Serve]:
    """Serves with some faults, and gives a client: `await serve(fault, fault)`."""
    script = Script()
    disturbance = Disturbance(script, sleep=sleeps, now=lambda: 0.0)
    interceptors = [disturbance.interceptor()] if request.param == "within" else []
    server = grpc.aio.server(interceptors=interceptors)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with (
        FaultyServer(address, sleep=sleeps, now=lambda: 0.0) as faulty,
        Client(faulty.address if request.param == "before" else address) as client,
    ):

        async def with_faults(*faults: Fault) -> Client:
            faulty.script = disturbance.script = Script(faults)
            return client

        yield with_faults
    await server.stop(None)


async def test_without_a_fault_the_answer_is_the_servers(serve: Serve, servicer: Servicer) -> None:
    client = await serve()
    assert await client.infer(7) == answer("7")
    assert (await client.stub.ServerReady(service_pb2.ServerReadyRequest())).ready
    assert await client.stream(3) == [answer("1"), answer("2"), answer("3")]
    assert servicer.asked == ["7", "1", "2", "3"]


async def test_the_servers_own_errors_are_passed_on(serve: Serve) -> None:
    client = await serve()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await client.infer(model="wrong")
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.NOT_FOUND, "there is no such model")
    assert await client.stream(1, "wrong") == [grpc.StatusCode.NOT_FOUND]
    assert await client.code(model="slow", timeout=0.05) is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_what_is_sent_along_reaches_the_server(serve: Serve, servicer: Servicer) -> None:
    await (await serve()).infer(metadata=[("authorization", "Bearer sesame")])
    assert servicer.metadata["authorization"] == "Bearer sesame"


async def test_a_request_that_is_cancelled_is_cancelled_at_the_server(serve: Serve, servicer: Servicer) -> None:
    client = await serve()
    asking = asyncio.ensure_future(client.infer(model="slow"))
    while not servicer.asked:
        await client.stub.ServerReady(service_pb2.ServerReadyRequest())
    asking.cancel()
    async with asyncio.timeout(5):
        await servicer.cancelled.wait()


async def test_an_answer_is_late_by_its_delay(serve: Serve, sleeps: Sleeps) -> None:
    client = await serve(Fault(kind="delay", seconds=0.5, every=2))
    assert [(await client.infer(number)).id for number in (1, 2, 3)] == ["1", "2", "3"]
    assert await client.stream(3) == [answer("1"), answer("2"), answer("3")]
    assert sleeps.slept == [0.5] * 3


async def test_a_slow_start_holds_every_call_until_it_is_over(serve: Serve, sleeps: Sleeps) -> None:
    client = await serve(Fault(kind="slow_start", seconds=30))
    assert (await client.stub.ServerReady(service_pb2.ServerReadyRequest())).ready
    assert await client.infer() == answer("1")
    assert sleeps.slept == [30, 30]


async def test_what_is_refused_has_the_status_and_the_message(serve: Serve, servicer: Servicer) -> None:
    client = await serve(Fault(kind="refuse", status="RESOURCE_EXHAUSTED", message="too much", numbers=[2]))
    await client.infer(1)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await client.infer(2)
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too much")
    await client.infer(3)
    assert servicer.asked == ["1", "3"]


async def test_what_is_refused_within_a_stream_ends_it(serve: Serve) -> None:
    client = await serve(Fault(kind="refuse", after=2))
    assert await client.stream(5) == [answer("1"), answer("2"), grpc.StatusCode.UNAVAILABLE]


async def test_what_is_dropped_has_no_answer_and_others_have_one(serve: Serve, servicer: Servicer) -> None:
    client = await serve(Fault(kind="drop", model="dropped"))
    dropped = client.code(1, model="dropped", timeout=0.3)
    assert await asyncio.gather(dropped, client.code(2)) == [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.OK]
    assert servicer.asked == ["2"]


async def test_a_connection_that_is_cut_takes_the_other_requests_on_it_along(serve: Serve, servicer: Servicer) -> None:
    client = await serve(Fault(kind="cut", model="cut"))
    waiting = asyncio.ensure_future(client.code(model="slow"))
    while not servicer.asked:
        await client.stub.ServerReady(service_pb2.ServerReadyRequest())
    assert await client.code(model="cut") is grpc.StatusCode.UNAVAILABLE
    assert await waiting is grpc.StatusCode.UNAVAILABLE
    assert await client.infer(3, wait_for_ready=True) == answer("3")


async def test_an_answer_is_garbled_in_as_many_bytes_as_are_said(serve: Serve) -> None:
    client = await serve(Fault(kind="garble", bytes=3))
    ask = client._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    found = [await ask(service_pb2.ModelInferRequest(id="1").SerializeToString()) for _ in range(2)]
    good = answer("1").SerializeToString()
    for each in found:
        assert sum(one != other for one, other in zip(each, good, strict=True)) == 3
    assert found[0] != found[1]


async def test_a_lie_is_told_to_whom_it_is_meant_for(serve: Serve) -> None:
    client = await serve(Fault(kind="wrong_name", numbers=[2]))
    assert [(await client.infer(number)).outputs[0].name for number in (1, 2, 3)] == ["y", "y_", "y"]
    client = await serve(Fault(kind="wrong_name", numbers=[2]))
    assert [each.outputs[0].name for each in await client.stream(3)] == ["y", "y_", "y"]


async def test_faults_of_a_request_come_together(serve: Serve, sleeps: Sleeps) -> None:
    late, refused = Fault(kind="delay", seconds=0.5), Fault(kind="refuse", status="INTERNAL")
    client = await serve(late, refused)
    assert await client.code() is grpc.StatusCode.INTERNAL
    assert sleeps.slept == [0.5]


async def test_a_server_drains_without_those_that_stay_without_an_answer() -> None:
    script = Script([Fault(kind="drop")])
    async with Disturbance(script) as disturbance:
        server = grpc.aio.server(interceptors=[disturbance.interceptor()])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with Client(f"127.0.0.1:{port}") as client:
            dropped = asyncio.ensure_future(client.code())
            while not script.struck:
                await client.stub.ServerReady(service_pb2.ServerReadyRequest())
            disturbance.release()
            async with asyncio.timeout(10):
                await server.stop(grace=60)
            assert await dropped is grpc.StatusCode.UNAVAILABLE


async def test_a_server_that_is_away_is_unavailable() -> None:
    async with FaultyServer("127.0.0.1:1") as faulty, Client(faulty.address) as client:
        assert await client.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_port_that_is_taken_is_the_users_fault() -> None:
    async with FaultyServer("127.0.0.1:1") as faulty:
        port = int(faulty.address.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=f"port {port} cannot be used"):
            await FaultyServer("127.0.0.1:1", port=port).__aenter__()


def test_peers_are_read_as_grpc_writes_them() -> None:
    assert peer_of("ipv4:127.0.0.1:4711") == ("127.0.0.1", 4711)
    assert peer_of("ipv6:%5B::1%5D:4711") == ("::1", 4711)


def test_a_connection_that_is_not_there_is_not_cut() -> None:
    assert not cut(("127.0.0.1", 1))
