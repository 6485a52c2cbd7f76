"""That the tools of the chaos do what they say: a fault that is none would prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from liar import LIES, Lie
from pace import Pace
from proxy import Proxy
from scene import Outcome
from table import table
from tritonclient.grpc import service_pb2

from eventbraid.errors import AnswerError
from eventbraid.kserve import ModelMetadata, TensorSpec, check_response
from eventbraid.kserve.wire import parse_answer


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Before a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Proxy(f"127.0.0.1:{port}") as made:
            yield made


class Caller:
    """A connection through a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._address = proxy.address.rpartition(":")

    async def __aenter__(self) -> Caller:
        self._reader, self._writer = await asyncio.open_connection(self._address[0], int(self._address[2]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def seconds_of(self, data: bytes) -> float:
        """How long it takes until they are back."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        self._writer.write(data)
        assert await self._reader.readexactly(len(data)) == data
        return loop.time() - start


async def test_what_goes_through_a_proxy_comes_out_as_it_was(proxy: Proxy) -> None:
    async with Caller(proxy) as caller:
        await caller.seconds_of(bytes(range(256)) * 4000)
    assert proxy.carried == 2 * 256 * 4000


async def test_a_proxy_delays_both_ways(proxy: Proxy) -> None:
    proxy.delay = (0.1, 0.1)
    async with Caller(proxy) as caller:
        assert await caller.seconds_of(b"late") >= 0.2


async def test_a_proxy_throttles(proxy: Proxy) -> None:
    proxy.rate = 1_000_000
    async with Caller(proxy) as caller:
        assert await caller.seconds_of(bytes(200_000)) >= 0.2


async def test_a_proxy_holds_bytes_and_loses_none(proxy: Proxy) -> None:
    async with Caller(proxy) as caller:
        proxy.hold()
        asked = asyncio.create_task(caller.seconds_of(b"held"))
        done, _ = await asyncio.wait([asked], timeout=0.1)
        assert not done
        proxy.release()
        assert await asked >= 0.1


async def test_a_proxy_cuts_what_is_under_way(proxy: Proxy) -> None:
    async with Caller(proxy) as caller:
        await caller.seconds_of(b"before")
        proxy.hold()
        asked = asyncio.create_task(caller.seconds_of(b"cut"))
        await proxy.cut()
        assert not proxy.connections
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asked


async def test_a_proxy_refuses_and_takes_connections_again(proxy: Proxy) -> None:
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        async with Caller(proxy):
            pass
    await proxy.accept()
    async with Caller(proxy) as caller:
        await caller.seconds_of(b"again")


MODEL = ModelMetadata("m", ("1",), (), (TensorSpec("y", "FP32", (-1, 2)),))


def answer() -> service_pb2.ModelInferResponse:
    good = service_pb2.ModelInferResponse(model_name="m", raw_output_contents=[bytes(24)])
    good.outputs.add(name="y", datatype="FP32", shape=[3, 2])
    return good


def test_an_answer_that_is_no_lie_is_taken() -> None:
    check_response(MODEL, parse_answer(answer().SerializeToString()))


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie.__name__ != "a_row_less"], ids=str)
def test_every_lie_is_one(lie: Lie) -> None:
    with pytest.raises(AnswerError):
        check_response(MODEL, parse_answer(lie(answer())))


async def test_an_event_is_waited_for_and_the_next_round_comes_after_it() -> None:
    pace = Pace(10, 2)
    pace.release()
    reached = asyncio.create_task(pace.reached(3))
    for _ in range(3):
        assert not reached.done()
        await pace.turn()
    await reached
    assert pace.next_round() == 5


def test_events_come_the_more_slowly_the_fewer_are_left_before_the_fault_is_over() -> None:
    pace = Pace(160, 2)
    first = pace.pause()
    pace.given = 24
    assert pace.pause() > first
    pace.hurry()
    assert pace.pause() < first * 4


def test_the_table_has_a_line_for_each_scene() -> None:
    from collections import Counter

    played = Outcome("kill -9", 200, 603, Counter({"connection lost": 3}), [0.1, 0.25], 3.21, {})
    head, line = table([played])
    assert head.startswith("scene")
    assert line.split("  ")[0] == "kill -9"
    assert "3 connection lost" in line
    assert "0.250 s of 2" in line
