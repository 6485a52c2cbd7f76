"""Calls that are cancelled or whose deadline passes, wherever they are: the server is told, and nothing is left."""

from __future__ import annotations

import asyncio

import pytest
from calls import ask, asked_of, cancelled, failure
from scripted_peer import OK, Line, Peer, message

from eventbraid.http2.frames import Code, Kind, Setting, frame
from eventbraid.inference.transport.http2 import Http2Transport

TOO_LATE = ("DEADLINE_EXCEEDED", "Deadline Exceeded")


async def was_told(line: Line, stream: int) -> bool:
    """True where the server is told that the call is over."""
    got = await line.next(Kind.RST_STREAM)
    return (got.stream, int.from_bytes(got.payload, "big")) == (stream, Code.CANCEL)


def is_empty(transport: Http2Transport) -> bool:
    """True where nothing is left of any call."""
    made = transport._connection
    assert made is not None
    return not (made._streams or made._waiting or made._called or made._out)


async def give_up(task: asyncio.Task[bytes], way: str) -> None:
    if way == "cancel":
        assert await cancelled(task)
    else:
        assert await failure(task) == TOO_LATE


WAYS = pytest.mark.parametrize(("way", "within"), [("cancel", 5.0), ("deadline", 0.1)])


@WAYS
async def test_while_the_server_works(peer: Peer, transport: Http2Transport, way: str, within: float) -> None:
    asked = ask(transport, within=within)
    line = await peer.line()
    stream = (await line.request()).stream
    await give_up(asked, way)
    assert await was_told(line, stream)
    assert is_empty(transport)


@WAYS
async def test_while_the_body_waits_for_room(peer: Peer, transport: Http2Transport, way: str, within: float) -> None:
    asked = ask(transport, b"x" * 1_000_000, within=within)
    line = await peer.line()
    stream, _ = await line.opened()
    await give_up(asked, way)
    assert await was_told(line, stream)
    assert is_empty(transport)
    line.more(0, 1 << 24)
    line.more(stream, 1 << 24)
    again = ask(transport, b"again")
    request = await line.request()
    assert request.message == b"again"
    line.answer(request.stream)
    await again


@WAYS
async def test_while_the_answer_comes(peer: Peer, transport: Http2Transport, way: str, within: float) -> None:
    asked = ask(transport, within=within)
    line = await peer.line()
    stream = (await line.request()).stream
    line.send(line.fields(stream, OK), frame(Kind.DATA, 0, stream, message(b"x" * 1000)[:500]))
    await line.synced()
    await give_up(asked, way)
    assert await was_told(line, stream)
    assert is_empty(transport)
    line.send(frame(Kind.DATA, 0, stream, message(b"x" * 1000)[500:]), line.trailers(stream))
    again = ask(transport)
    line.answer((await line.request()).stream, b"again")
    assert await again == b"again"


@WAYS
async def test_while_it_waits_for_its_turn(peer: Peer, transport: Http2Transport, way: str, within: float) -> None:
    asked = ask(transport, within=within)
    line = await peer.line({Setting.MAX_CONCURRENT_STREAMS: 0})
    await line.synced()
    await give_up(asked, way)
    assert is_empty(transport)


@WAYS
async def test_while_the_server_reads_nothing(peer: Peer, transport: Http2Transport, way: str, within: float) -> None:
    line, stream, first = await asked_of(peer, transport)
    line.set(Setting.INITIAL_WINDOW_SIZE, 1 << 30)
    line.more(0, 1 << 30)
    line.answer(stream)
    await first
    asked = [ask(transport, bytes(20_000_000), within=within) for _ in range(4)]
    assert transport._connection is not None
    made = transport._connection
    await asyncio.wait(asked, timeout=0.05)
    assert made._paused
    assert made._transport is not None
    assert made._transport.get_write_buffer_size() < 3 << 20  # two bursts
    assert sum(map(len, made._out)) < 1 << 20
    small = ask(transport, within=within)
    await asyncio.sleep(0)
    assert next(reversed(made._streams.values())).body  # waits as well
    for each in (*asked, small):
        await give_up(each, way)
    assert not made._streams
    while (await line.next()).kind != Kind.RST_STREAM:
        pass


@pytest.mark.parametrize("within", [0.0, -1.0])
async def test_before_anything(peer: Peer, transport: Http2Transport, within: float) -> None:
    line, stream, asked = await asked_of(peer, transport)
    assert await failure(ask(transport, b"too late", within=within)) == TOO_LATE
    line.answer(stream)
    await asked
    again = ask(transport, b"again")
    request = await line.request()
    assert request.message == b"again"
    line.answer(request.stream)
    await again


async def test_at_the_moment_of_the_answer(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    assert transport._connection is not None
    transport._connection._streams[stream].answer.add_done_callback(lambda _: asked.cancel())
    line.send(line.trailers(stream, [*OK, ("grpc-status", "13")]))
    await asyncio.wait([asked])
    assert asked.cancelled() or asked.exception() is not None
    assert is_empty(transport)


async def test_a_call_whose_coroutine_is_closed(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    call = transport.call("ModelInfer", [b"y"], timeout=5)
    assert call.send(None) is not None
    call.close()
    assert await was_told(line, stream + 2)
    line.answer(stream)
    await asked
    assert is_empty(transport)


async def test_a_deadline_of_no_end_is_none(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, within=float("inf"))
    line = await peer.line()
    stream, fields = await line.opened()
    assert fields["grpc-timeout"] == "99999999S"
    line.answer(stream)
    await asked
