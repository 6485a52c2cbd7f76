"""Real servers: gRPC's own in this process, and Triton. Storms of calls, large messages, connections that age."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from zlib import crc32

import grpc
import numpy as np
import pytest
from calls import cancelled, failure

from eventbraid.errors import ServerTimeout
from eventbraid.inference import TritonClient
from eventbraid.inference.servers.server import Server
from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2 import Http2Transport

UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
GREEK = "größer als 100 % → αβγ\n"
MEGABYTE = 1_000_000


def answer_to(request: bytes) -> bytes:
    """What the server makes of a request that begins with the size of its answer."""
    size = int.from_bytes(request[:4], "big")
    return crc32(request).to_bytes(4, "big") + request[4:5] * size


async def model_infer(request: bytes, context: Any) -> bytes:
    return answer_to(request)


async def model_ready(request: bytes, context: Any) -> bytes:
    """Fail with a text of so many lines."""
    context.set_trailing_metadata((("trace-bin", bytes(range(256))), ("note", "x" * 1000)))
    await context.abort(grpc.StatusCode.INTERNAL, GREEK * int(request))
    return b""


Handler = Callable[[bytes, Any], Coroutine[Any, Any, bytes]]


@asynccontextmanager
async def grpc_server(
    *options: tuple[str, Any], port: int = 0, infer: Handler = model_infer
) -> AsyncIterator[tuple[Any, str]]:
    """A server of grpc.aio and its address."""
    server = grpc.aio.server(options=(*UNLIMITED, *options))
    handlers = {"ModelInfer": infer, "ModelReady": model_ready}
    methods = {name: grpc.unary_unary_rpc_method_handler(handler) for name, handler in handlers.items()}
    service = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", methods)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def transport_to(address: str) -> AsyncIterator[Http2Transport]:
    made = Http2Transport(Server(address))
    try:
        yield made
    finally:
        await made.aclose()


def request(draw: random.Random, most: int) -> bytes:
    """A request of a random size for an answer of a random size; many are small."""
    sizes = [int(most * draw.random() ** draw.choice((1, 1, 5))) for _ in range(2)]
    return sizes[0].to_bytes(4, "big") + draw.randbytes(1) * (sizes[1] + 1)


async def storm(ask: Callable[[float], Coroutine[Any, Any, None]], draw: random.Random, calls: int) -> int:
    """Make calls at once with random deadlines, and cancel some; how many came to an answer, right as each checks."""
    loop = asyncio.get_running_loop()
    tasks, impatient = list[asyncio.Task[None]](), set[asyncio.Task[None]]()
    for _ in range(calls):
        fate = draw.random()
        task = asyncio.create_task(ask(draw.random() * 0.5 if fate < 0.15 else 120))
        tasks.append(task)
        if fate < 0.15:
            impatient.add(task)
        elif fate < 0.3:
            loop.call_later(draw.random() * 0.5, task.cancel)
    await asyncio.wait(tasks)
    answered = 0
    for task in tasks:
        if task.cancelled():
            continue
        error = task.exception()
        if isinstance(error, (TransportError, ServerTimeout)) and task in impatient:
            assert isinstance(error, ServerTimeout) or error.code == "DEADLINE_EXCEEDED"
        elif error is not None:
            raise error
        else:
            answered += 1
    return answered


@pytest.mark.parametrize(("calls", "most"), [(200, 50_000), pytest.param(200, 5 * MEGABYTE, marks=pytest.mark.slow)])
async def test_a_storm_of_calls_is_answered_right(calls: int, most: int) -> None:
    draw = random.Random(calls + most)
    async with grpc_server() as (_, address), transport_to(address) as transport:

        async def ask(within: float) -> None:
            data = request(draw, most)
            cuts = sorted(draw.randrange(len(data) + 1) for _ in range(3))
            parts = [data[: cuts[0]], memoryview(data)[cuts[0] : cuts[1]], data[cuts[1] : cuts[2]], data[cuts[2] :]]
            assert await transport.call("ModelInfer", parts, timeout=within) == answer_to(data)

        assert await storm(ask, draw, calls) >= calls * 0.6
        made = transport._connection
        assert made is not None
        assert not made._streams


async def test_calls_one_after_another_share_a_connection() -> None:
    async with grpc_server() as (_, address), transport_to(address) as transport:
        await transport.call("ModelInfer", [bytes(5)], timeout=5)
        first = transport._connection
        for number in range(3000):
            data = number.to_bytes(4, "big") + b"data"
            assert await transport.call("ModelInfer", [data], timeout=5) == answer_to(data)
        assert transport._connection is first


@pytest.mark.parametrize("compression", ["", "gzip"])
async def test_a_request_and_an_answer_of_50_mb_come_whole(compression: str) -> None:
    async with grpc_server() as (_, address), transport_to(address) as transport:
        data = (50 * MEGABYTE).to_bytes(4, "big") + bytes(50 * MEGABYTE)
        got = await transport.call("ModelInfer", [data], timeout=60, compression=compression)
        assert got == answer_to(data)


@pytest.mark.parametrize("lines", [0, 1, 100])
async def test_the_text_of_an_error_comes_as_it_is(lines: int) -> None:
    async with grpc_server() as (_, address), transport_to(address) as transport:
        call = transport.call("ModelReady", [b"%d" % lines], timeout=5)
        assert await failure(call) == ("INTERNAL", GREEK * lines)


async def test_a_method_that_the_server_has_not_is_unimplemented() -> None:
    async with grpc_server() as (_, address), transport_to(address) as transport:
        assert (await failure(transport.call("Other", [b""], timeout=5)))[0] == "UNIMPLEMENTED"


async def test_a_server_learns_of_the_deadline_and_of_a_cancelled_call() -> None:
    begun: asyncio.Queue[float] = asyncio.Queue()
    ended: asyncio.Queue[bytes] = asyncio.Queue()

    async def waits(data: bytes, context: Any) -> bytes:
        begun.put_nowait(context.time_remaining())
        try:
            return await asyncio.Event().wait() and b""
        finally:
            ended.put_nowait(data)

    async with grpc_server(infer=waits) as (_, address), transport_to(address) as transport:
        assert (await failure(transport.call("ModelInfer", [b"late"], timeout=0.5)))[0] == "DEADLINE_EXCEEDED"
        assert await begun.get() < 0.6
        assert await ended.get() == b"late"
        asked = asyncio.create_task(transport.call("ModelInfer", [b"cancelled"], timeout=1000))
        assert 900 < await begun.get() < 1001
        assert await cancelled(asked)
        assert await ended.get() == b"cancelled"


async def test_connections_that_age_lose_no_call() -> None:
    """A server that sends GOAWAY every 50 ms, as one behind a balancer of loads does from time to time."""
    ages = (("grpc.max_connection_age_ms", 50), ("grpc.max_connection_age_grace_ms", 30_000))
    async with grpc_server(*ages) as (_, address), transport_to(address) as transport:
        connections = set[object]()

        async def work(number: int) -> None:
            data = (number * 1000).to_bytes(4, "big") + bytes(number * 10_000)
            while len(connections) < 5:
                assert await transport.call("ModelInfer", [data], timeout=10) == answer_to(data)
                connections.add(transport._connection)

        await asyncio.gather(*(work(number) for number in range(1, 9)))


async def test_a_server_that_stops_finishes_its_calls_and_one_that_starts_is_found() -> None:
    begun, go = asyncio.Semaphore(0), asyncio.Event()

    async def waits(data: bytes, context: Any) -> bytes:
        begun.release()
        await go.wait()
        return answer_to(data)

    data = (5 * MEGABYTE).to_bytes(4, "big") + b"x"
    async with grpc_server(infer=waits) as (server, address), transport_to(address) as transport:
        asked = [asyncio.create_task(transport.call("ModelInfer", [data], timeout=30)) for _ in range(5)]
        for _ in asked:
            await begun.acquire()
        stopping = asyncio.create_task(server.stop(30))
        assert transport._connection is not None
        gone = transport._connection.closed
        go.set()
        assert {await each for each in asked} == {answer_to(data)}
        await stopping
        await gone
        code, details = await failure(transport.call("ModelInfer", [data], timeout=5))
        assert (code, details) == ("UNAVAILABLE", f"{address}: failed to connect: Connection refused")
        async with grpc_server(port=int(address.rpartition(":")[2])):
            assert await transport.call("ModelInfer", [data], timeout=30) == answer_to(data)


NAMES = ("BOOL", "INT8", "UINT16", "INT32", "INT64", "FP16", "FP32", "FP64")
KINDS = (np.bool_, np.int8, np.uint16, np.int32, np.int64, np.float16, np.float32, np.float64)


@pytest.mark.triton
@pytest.mark.slow
async def test_a_storm_of_requests_to_triton_is_answered_right(triton_address: str) -> None:
    draw = random.Random(4)
    server = Server(triton_address, shared_memory=False, max_requests=1000, max_bytes=1 << 33)
    client = TritonClient([server], connect=Http2Transport)
    await client.metadata("types", timeout=30)

    async def ask(within: float) -> None:
        rows = int(10_000 * draw.random() ** 3) + 1
        numbers = np.random.default_rng(draw.randrange(1 << 30)).integers(0, 100, (rows, 17))
        inputs = {f"in_{name}": numbers.astype(kind) for name, kind in zip(NAMES, KINDS, strict=True)}
        outputs = await client.infer("types", inputs, timeout=within)
        for name in NAMES:
            np.testing.assert_array_equal(outputs[f"out_{name}"], inputs[f"in_{name}"])

    try:
        assert await storm(ask, draw, 200) >= 100
    finally:
        await client.aclose()


@pytest.mark.triton
async def test_triton_takes_and_gives_50_mb(triton_address: str) -> None:
    client = TritonClient([Server(triton_address, shared_memory=False)], connect=Http2Transport)
    words = np.array([b"x" * 25 * MEGABYTE, b"y" * 25 * MEGABYTE], np.object_)
    try:
        outputs = await client.infer("text", {"words": words}, timeout=60)
        assert outputs["same"].tolist() == words.tolist()
    finally:
        await client.aclose()
