"""The embedded server's gRPC, asked by gRPC's own client and by one that speaks frame by frame."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1]))
from raw_client import RawClient, message

from eventbraid.http2.frames import Flag, Kind, frame
from eventbraid.inference import Server
from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.budget import Budget
from eventbraid.serving.embedded.http2 import Http2Server

MB = 1 << 20
MOST = 8 * MB


class Handlers:
    """What each test server does; tests wait for what has happened in it."""

    def __init__(self) -> None:
        self.began, self.cancelled, self.go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.seen: dict[str, Any] = {}

    async def echo(self, request: bytes, context: Any) -> bytes:
        self.seen = {"metadata": dict(context.invocation_metadata()), "peer": context.peer()}
        self.seen["left"] = context.time_remaining()
        context.add_done_callback(lambda _: self.seen.update(over=True))
        return request

    async def wait(self, request: bytes, context: Any) -> bytes:
        self.began.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request

    async def fail(self, request: bytes, context: Any) -> bytes:
        raise ValueError(request.decode())

    async def abort(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "nö: 100 % of it\n" + "x" * 20_000 * (request == b"long"))

    async def refuse(self, request: bytes, context: Any) -> bytes:
        raise ModelFailure("not now", "UNAVAILABLE")

    async def count(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        self.began.set()
        number = 0
        try:
            async for each in requests:
                number += 1
                yield b"%d:" % number + each
        finally:
            self.cancelled.set()

    async def large(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield bytes((number,)) * MB
        if request == b"3":
            await context.abort(grpc.StatusCode.DATA_LOSS, "after three")

    async def written(self, request: bytes, context: Any) -> None:
        await context.write(request)
        await context.write(b"again")

    async def both(self, requests: AsyncIterator[bytes], context: Any) -> None:
        """Writes its first answer, for which there is no room, and reads on."""
        writing = asyncio.ensure_future(context.write(await anext(requests)))
        await asyncio.sleep(0)
        self.began.set()
        self.seen["second"] = await anext(requests)
        self.go_on.set()
        await writing

    async def sum(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"%d" % sum([int(each) async for each in requests])


class Running:
    """A server, where it is and what it does."""

    def __init__(self, interceptors: tuple[Any, ...] = ()) -> None:
        self.handlers, self.budget = Handlers(), Budget(MOST)
        self.server = Http2Server(self.budget, interceptors, most_message=MOST, most_calls=20)
        handlers = self.handlers
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        number = grpc.unary_unary_rpc_method_handler(handlers.echo, request_deserializer=lambda data: b"%d" % int(data))
        self.server.add_registered_method_handlers(
            "inference.GRPCInferenceService",
            {
                **{name: unary(getattr(handlers, name)) for name in ("echo", "wait", "fail", "abort", "refuse")},
                "number": number,
                "count": stream(handlers.count),
                "both": stream(handlers.both),
                "large": grpc.unary_stream_rpc_method_handler(handlers.large),
                "written": grpc.unary_stream_rpc_method_handler(handlers.written),
                "sum": grpc.stream_unary_rpc_method_handler(handlers.sum),
            },
        )

    async def start(self) -> None:
        self.address = f"127.0.0.1:{await self.server.start(0)}"
        self.channel = grpc.aio.insecure_channel(self.address, [("grpc.max_receive_message_length", -1)])

    async def unary(self, name: str, data: bytes, **options: Any) -> bytes:
        return await self.channel.unary_unary(f"/inference.GRPCInferenceService/{name}")(data, **options)

    async def refused(self, name: str, data: bytes = b"", **options: Any) -> tuple[str, str]:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await self.unary(name, data, **options)
        return raised.value.code().name, raised.value.details()


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    await made.start()
    yield made
    made.handlers.go_on.set()
    await made.channel.close()
    await made.server.stop(1)
    assert made.budget.taken == 0
    gc.collect()


async def test_a_call_is_answered_with_what_the_client_says_of_itself(running: Running) -> None:
    metadata = (("token", "x"), ("token-bin", b"\0\xff"))
    assert await running.unary("echo", b"data", metadata=metadata, timeout=20) == b"data"
    seen = running.handlers.seen
    assert seen["metadata"]["token"] == "x"
    assert seen["metadata"]["token-bin"] == b"\0\xff"
    assert seen["peer"].startswith("ipv4:127.0.0.1:")
    assert 10 < seen["left"] <= 20
    assert seen["over"]


async def test_a_call_without_a_deadline_has_all_the_time(running: Running) -> None:
    await running.unary("echo", b"")
    assert running.handlers.seen["left"] is None


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, MB, 5 * MB])
async def test_messages_of_all_sizes_go_both_ways(running: Running, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert await running.unary("echo", data) == data


async def test_calls_at_the_same_time_get_their_own_answers(running: Running) -> None:
    asked = [b"%d" % number * number * 1000 for number in range(20)]
    assert await asyncio.gather(*(running.unary("echo", each) for each in asked)) == asked


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_compressed_request_is_read(running: Running, compression: grpc.Compression) -> None:
    assert await running.unary("echo", bytes(MB), compression=compression) == bytes(MB)


@pytest.mark.parametrize(
    ("name", "data", "code", "said"),
    [
        ("fail", b"mine", "UNKNOWN", "Unexpected <class 'ValueError'>: mine"),
        ("abort", b"", "NOT_FOUND", "nö: 100 % of it\n"),
        ("refuse", b"", "UNAVAILABLE", "not now"),
        ("number", b"no number", "INVALID_ARGUMENT", "the request cannot be read: invalid literal"),
        ("nothing", b"", "UNIMPLEMENTED", "Method not found!"),
        ("echo", bytes(MOST + 1), "RESOURCE_EXHAUSTED", f"({MOST + 1} vs. {MOST})"),
    ],
)
async def test_what_goes_wrong_has_a_status_and_a_text(
    running: Running, name: str, data: bytes, code: str, said: str
) -> None:
    given = await running.refused(name, data)
    assert given[0] == code
    assert said in given[1]


async def test_a_call_that_is_late_ends_with_its_deadline_and_so_does_its_handler(running: Running) -> None:
    assert (await running.refused("wait", timeout=0.1))[0] == "DEADLINE_EXCEEDED"
    await asyncio.wait_for(running.handlers.cancelled.wait(), 5)


async def test_a_call_that_is_cancelled_ends_its_handler(running: Running) -> None:
    call = running.channel.unary_unary("/inference.GRPCInferenceService/wait")(b"")
    asking = asyncio.ensure_future(call)
    await asyncio.wait_for(running.handlers.began.wait(), 5)
    call.cancel()
    await asyncio.wait_for(running.handlers.cancelled.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_connection_that_is_lost_ends_the_handlers_of_its_calls(running: Running) -> None:
    async with RawClient(running.address) as client:
        await client.send(client.call("wait"), message(b""), end=True)
        await asyncio.wait_for(running.handlers.began.wait(), 5)
    await asyncio.wait_for(running.handlers.cancelled.wait(), 5)


async def test_the_requests_of_a_stream_are_answered_as_they_come(running: Running) -> None:
    call = running.channel.stream_stream("/inference.GRPCInferenceService/count")()
    for number in range(1, 4):
        await call.write(b"x" * number * 40_000)
        assert await call.read() == b"%d:" % number + b"x" * number * 40_000
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_stream_is_read_while_its_answers_wait_for_room(running: Running) -> None:
    async with RawClient(running.address, window=0) as client:
        stream = client.call("both")
        await client.send(stream, message(b"first"))
        await asyncio.wait_for(running.handlers.began.wait(), 5)
        await client.send(stream, message(b"second"), end=True)
        await asyncio.wait_for(running.handlers.go_on.wait(), 5)


async def test_a_stream_of_requests_has_one_answer(running: Running) -> None:
    async def numbers() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%d" % number

    assert await running.channel.stream_unary("/inference.GRPCInferenceService/sum")(numbers()) == b"4950"


async def test_many_large_answers_come_in_their_order(running: Running) -> None:
    call = running.channel.unary_stream("/inference.GRPCInferenceService/large")(b"20")
    assert [each[0] async for each in call] == list(range(20))


async def test_an_error_after_some_answers_comes_behind_them(running: Running) -> None:
    call = running.channel.unary_stream("/inference.GRPCInferenceService/large")(b"3")
    assert [(await call.read())[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(grpc.aio.AioRpcError, match="after three"):
        await call.read()


async def test_a_handler_may_write_its_answers_itself(running: Running) -> None:
    call = running.channel.unary_stream("/inference.GRPCInferenceService/written")(b"first")
    assert [each async for each in call] == [b"first", b"again"]


async def test_a_client_that_takes_one_answer_at_a_time_is_sent_no_more(running: Running) -> None:
    async with RawClient(running.address, window=3 * MB // 2) as client:
        stream = client.call("large")
        await client.send(stream, message(b"20"), end=True)
        await client.until(lambda: client.received[stream] == 3 * MB // 2)
        assert not client.answered(stream)


async def test_one_connection_takes_messages_that_come_in_one_piece_and_in_many(running: Running) -> None:
    async with RawClient(running.address) as client:
        whole = client.call("sum")
        await client.send(whole, message(b"1") + message(b"20") + message(b"300"), end=True)
        cut = client.call("sum")
        for byte in message(b"1") + message(b"20"):
            await client.send(cut, bytes((byte,)))
        await client.send(cut, b"", end=True)
        await client.until(lambda: client.answered(whole) and client.answered(cut))
        assert client.fields[whole]["grpc-status"] == client.fields[cut]["grpc-status"] == "0"
        assert client.received[whole] == 5 + 3
        assert client.received[cut] == 5 + 2


async def test_a_call_without_a_request_is_told_so(running: Running) -> None:
    async with RawClient(running.address) as client:
        stream = client.call("echo")
        await client.send(stream, b"", end=True)
        await client.until(lambda: client.answered(stream))
        assert client.fields[stream]["grpc-message"] == "the call has no request"


async def test_a_long_text_of_a_status_comes_whole(running: Running) -> None:
    transport = Http2Transport(Server(running.address))
    with pytest.raises(TransportError) as raised:
        await transport.call("abort", [b"long"], timeout=5)
    await transport.aclose()
    assert raised.value.code == "NOT_FOUND"
    assert len(raised.value.details) > 20_000


async def test_what_is_received_of_messages_is_in_the_budget(running: Running) -> None:
    async with RawClient(running.address) as client:
        for _ in range(2):
            stream = client.call("echo")
            await client.send(stream, message(bytes(4 * MB))[: 3 * MB])
        await until_taken(running, 6 * MB)
        last = client.call("echo")
        await client.send(last, message(bytes(4 * MB))[: 3 * MB])
        await client.until(lambda: client.answered(last))
        assert client.fields[last]["grpc-status"] == "8"
        assert client.fields[last]["grpc-message"].startswith("the server's memory is full")
    await until_taken(running, 0)


async def until_taken(running: Running, nbytes: int) -> None:
    """Ask until the budget says so."""
    async with asyncio.timeout(5):
        while running.budget.taken != nbytes:
            await running.unary("echo", b"")


async def test_calls_beyond_the_most_are_refused(running: Running) -> None:
    async with RawClient(running.address) as client:
        streams = [client.call("count") for _ in range(21)]
        await client.until(lambda: client.answered(streams[-1]))
        assert client.fields[streams[-1]]["grpc-message"] == "Concurrent RPC limit exceeded!"
        assert not any(client.answered(each) for each in streams[:-1])


async def test_who_asks_for_something_else_than_grpc_is_told_so(running: Running) -> None:
    async with RawClient(running.address) as client:
        fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x")]
        block = client._encoder.encode(fields)
        client.writer.write(frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, block))
        await client.until(lambda: client.answered(1))
        assert client.fields[1]["grpc-message"] == "this is a server of gRPC: expected POST of application/grpc"


@pytest.mark.parametrize(
    "wrong",
    [
        frame(Kind.HEADERS, Flag.END_HEADERS, 2, b"\x83"),
        frame(Kind.HEADERS, Flag.END_HEADERS, 1, b"\xff\xff\xff"),
        frame(Kind.CONTINUATION, Flag.END_HEADERS, 1),
        frame(Kind.PUSH_PROMISE, 0, 1, bytes(4)),
        frame(Kind.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
    ],
    ids=["a server's stream", "no fields", "what goes on", "a promise", "a window"],
)
async def test_who_breaks_the_protocol_is_hung_up_on(running: Running, wrong: bytes) -> None:
    async with RawClient(running.address) as client:
        await client.until(lambda: client.greeted)
        client.writer.write(wrong)
        await asyncio.wait_for(client.until(lambda: client.gone), 5)
    assert await running.unary("echo", b"others") == b"others"


@pytest.mark.parametrize("size", [4, 5 * MB])
async def test_a_server_that_ends_answers_what_it_has_and_takes_no_more(running: Running, size: int) -> None:
    data = bytes(range(4)) * (size // 4)
    asking = asyncio.ensure_future(running.unary("wait", data))
    await asyncio.wait_for(running.handlers.began.wait(), 5)
    ending = asyncio.ensure_future(running.server.stop(20))
    assert (await running.refused("echo"))[0] == "UNAVAILABLE"
    assert not ending.done()
    running.handlers.go_on.set()
    assert await asking == data
    await ending
    assert not running.server.connections


async def test_a_server_ends_what_takes_longer_than_its_grace(running: Running) -> None:
    asking = asyncio.ensure_future(running.refused("wait"))
    await asyncio.wait_for(running.handlers.began.wait(), 5)
    await running.server.stop(0.01)
    assert running.handlers.cancelled.is_set()
    assert (await asking)[0] == "UNAVAILABLE"


async def test_interceptors_are_asked_in_their_order_before_a_handler() -> None:
    asked: list[str] = []

    class Asked(grpc.aio.ServerInterceptor):
        def __init__(self, name: str) -> None:
            self.name = name

        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            asked.append(f"{self.name} {details.method} {dict(details.invocation_metadata)['who']}")
            return None if self.name == "last" and "refuse" in details.method else await continuation(details)

    running = Running((Asked("first"), Asked("last")))
    await running.start()
    metadata = (("who", "me"),)
    assert await running.unary("echo", b"x", metadata=metadata) == b"x"
    service = "/inference.GRPCInferenceService"
    assert asked == [f"first {service}/echo me", f"last {service}/echo me"]
    assert (await running.refused("refuse", metadata=metadata))[0] == "UNIMPLEMENTED"
    await running.channel.close()
    await running.server.stop(1)
