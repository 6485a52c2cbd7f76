"""Calls whose stream or connection the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest
from calls import ask, asked_of, failure
from scripted_peer import OK, Line, Peer, message

from eventbraid.http2.frames import Code, Kind, Setting, frame
from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.inference.transport.http2.connection import Stream

EVERY_STREAM = (1 << 31) - 1

STATUS = {
    Code.NO_ERROR: "INTERNAL",
    Code.PROTOCOL_ERROR: "INTERNAL",
    Code.INTERNAL_ERROR: "INTERNAL",
    Code.FLOW_CONTROL_ERROR: "INTERNAL",
    Code.SETTINGS_TIMEOUT: "INTERNAL",
    Code.STREAM_CLOSED: "INTERNAL",
    Code.FRAME_SIZE_ERROR: "INTERNAL",
    Code.CANCEL: "CANCELLED",
    Code.COMPRESSION_ERROR: "INTERNAL",
    Code.CONNECT_ERROR: "INTERNAL",
    Code.ENHANCE_YOUR_CALM: "RESOURCE_EXHAUSTED",
    Code.INADEQUATE_SECURITY: "PERMISSION_DENIED",
    Code.HTTP_1_1_REQUIRED: "INTERNAL",
}


@pytest.mark.parametrize(("code", "status"), STATUS.items())
async def test_a_call_that_is_reset_says_with_what(
    peer: Peer, transport: Http2Transport, code: Code, status: str
) -> None:
    line, stream, asked = await asked_of(peer, transport)
    other = ask(transport)
    request = await line.request()
    line.reset(stream, code)
    assert await failure(asked) == (status, f"the server reset the call (RST_STREAM {code.name})")
    line.answer(request.stream, b"well")
    assert await other == b"well"


async def test_a_call_is_reset_with_a_code_that_has_no_name(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.reset(stream, 0xFFFFFFFF)
    assert await failure(asked) == ("INTERNAL", "the server reset the call (RST_STREAM 4294967295)")


async def test_a_call_that_is_refused_is_made_again_once(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport, b"question")
    line.reset(stream, Code.REFUSED_STREAM)
    again = await line.request()
    assert again.message == b"question"
    line.reset(again.stream, Code.REFUSED_STREAM)
    assert await failure(asked) == ("UNAVAILABLE", "the server reset the call (RST_STREAM REFUSED_STREAM)")


async def test_a_reset_after_the_answer_changes_nothing(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.answer(stream, b"answer")
    line.reset(stream, Code.NO_ERROR)
    assert await asked == b"answer"


@pytest.mark.parametrize(("left", "status"), [(-0.001, "DEADLINE_EXCEEDED"), (60, "CANCELLED")])
async def test_a_call_that_the_server_cancels_after_its_deadline_is_too_late(left: float, status: str) -> None:
    stream = Stream(1, 0, monotonic() + left, asyncio.get_running_loop().create_future())
    stream.fail(TransportError("CANCELLED"))
    error = stream.answer.exception()
    assert isinstance(error, TransportError)
    assert error.code == status


async def test_calls_that_a_leaving_server_has_not_seen_are_made_elsewhere(
    peer: Peer, transport: Http2Transport
) -> None:
    line, stream, seen = await asked_of(peer, transport)
    unseen = ask(transport, b"unseen")
    await line.request()
    line.go_away(stream, Code.NO_ERROR)
    fresh = await peer.line()
    request = await fresh.request()
    assert request.message == b"unseen"
    fresh.answer(request.stream, b"fresh")
    assert await unseen == b"fresh"
    line.answer(stream, b"old")
    assert await seen == b"old"
    assert await line.ended()


async def test_a_server_that_leaves_slowly_answers_what_it_has(peer: Peer, transport: Http2Transport) -> None:
    line, first, one = await asked_of(peer, transport)
    two = ask(transport, b"two")
    second = (await line.request()).stream
    line.go_away(EVERY_STREAM)
    await line.synced()
    fresh, stream, new = await asked_of(peer, transport)
    fresh.answer(stream, b"new")
    assert await new == b"new"
    line.go_away(first)
    again = await fresh.request()
    assert again.message == b"two"
    fresh.answer(again.stream, b"two")
    line.answer(first, b"one")
    assert (await one, await two) == (b"one", b"two")
    assert second > first
    assert await line.ended()


async def test_a_server_that_leaves_with_nothing_to_do_is_left(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.answer(stream)
    await asked
    line.go_away(stream)
    assert await line.ended()
    fresh, stream, asked = await asked_of(peer, transport)
    fresh.answer(stream, b"fresh")
    assert await asked == b"fresh"


async def test_a_server_that_always_leaves_is_unavailable_and_says_why(peer: Peer, transport: Http2Transport) -> None:
    line, _, asked = await asked_of(peer, transport)
    line.go_away(0, Code.ENHANCE_YOUR_CALM, b"too_many_pings")
    fresh = await peer.line()
    await fresh.request()
    fresh.go_away(0, Code.ENHANCE_YOUR_CALM, b"too_many_pings")
    why = "the server is going away (GOAWAY ENHANCE_YOUR_CALM: too_many_pings)"
    assert await failure(asked) == ("UNAVAILABLE", why)
    assert len(peer.lines) == 2


async def test_a_call_that_waits_for_its_turn_goes_elsewhere_when_the_server_leaves(
    peer: Peer, transport: Http2Transport
) -> None:
    line, stream, first = await asked_of(peer, transport)
    line.set(Setting.MAX_CONCURRENT_STREAMS, 1)
    await line.synced()
    waits = ask(transport, b"waits")
    await line.synced()
    line.go_away(stream)
    fresh = await peer.line()
    request = await fresh.request()
    assert request.message == b"waits"
    fresh.answer(request.stream, b"fresh")
    line.answer(stream, b"old")
    assert (await first, await waits) == (b"old", b"fresh")


WAYS: dict[str, Callable[[Line, int], None]] = {
    "nothing": lambda line, stream: None,
    "half a head": lambda line, stream: line.send(b"\0\0"),
    "half a frame": lambda line, stream: line.send(line.fields(stream, OK)[:-1]),
    "fields": lambda line, stream: line.send(line.fields(stream, OK)),
    "half an answer": lambda line, stream: line.send(
        line.fields(stream, OK), frame(Kind.DATA, 0, stream, message(b"answer")[:7])
    ),
    "half of DATA": lambda line, stream: line.send(
        line.fields(stream, OK), frame(Kind.DATA, 0, stream, message(b"answer"))[:-1]
    ),
    "GOAWAY": lambda line, stream: line.go_away(stream, Code.INTERNAL_ERROR),
}


@pytest.mark.parametrize("abort", [False, True])
@pytest.mark.parametrize("said", WAYS)
async def test_a_call_whose_connection_is_lost_is_unavailable_and_the_next_connects(
    peer: Peer, transport: Http2Transport, said: str, abort: bool
) -> None:
    line, stream, asked = await asked_of(peer, transport)
    WAYS[said](line, stream)
    if abort:
        line.writer.transport.abort()
    else:
        line.close()
    assert (await failure(asked))[0] == "UNAVAILABLE"
    line, stream, asked = await asked_of(peer, transport)
    line.answer(stream, b"again")
    assert await asked == b"again"


async def test_a_connection_that_is_lost_while_nothing_is_asked_is_made_again(
    peer: Peer, transport: Http2Transport
) -> None:
    for number in range(3):
        line, stream, asked = await asked_of(peer, transport)
        line.answer(stream, b"%d" % number)
        assert await asked == b"%d" % number
        line.close()
        assert transport._connection is not None
        await transport._connection.closed


async def test_all_calls_of_a_lost_connection_are_unavailable(peer: Peer, transport: Http2Transport) -> None:
    asked = [ask(transport, b"x" * size) for size in (1, 100, 1_000_000, 2_000_000)]
    line = await peer.line()
    await line.opened()
    line.writer.transport.abort()
    assert {(await failure(each))[0] for each in asked} == {"UNAVAILABLE"}
    assert len(peer.lines) == 1
