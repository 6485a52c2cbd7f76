"""What is sent when: windows, the size of frames, the number of streams."""

from __future__ import annotations

import asyncio

import pytest
from calls import ask, asked_of, cancelled, failure
from scripted_peer import OK, Line, Peer, message

from eventbraid.http2 import connection
from eventbraid.http2.frames import Code, Flag, Kind, Setting, frame
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.inference.transport.http2.connection import LAST_STREAM

FIRST_WINDOW = 65535
DATA = bytes(range(256)) * 4096
WHOLE = message(DATA)
WINDOW = 1 << 18


async def data(line: Line, stream: int, size: int) -> bytes:
    """Exactly so many bytes of DATA of a stream, and no more."""
    got = b""
    while len(got) < size:
        part = await line.next(Kind.DATA)
        assert part.stream == stream
        got += part.payload
    assert len(got) == size
    return got


async def silent(line: Line) -> bool:
    """True where the client has sent no DATA, though it has had the time."""
    line.send(frame(Kind.PING, 0, 0, b"01234567"))
    return (await line.next(Kind.DATA, Kind.PING)).kind == Kind.PING


async def test_a_body_waits_for_room_on_its_stream(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, DATA)
    line = await peer.line({Setting.INITIAL_WINDOW_SIZE: 0})
    line.more(0, 1 << 30)
    stream, _ = await line.opened()
    assert await silent(line)
    line.more(stream, 10)
    got = await data(line, stream, 10)
    assert await silent(line)
    line.set(Setting.INITIAL_WINDOW_SIZE, 100_000)
    got += await data(line, stream, 100_000)
    assert await silent(line)
    line.more(stream, 1 << 30)
    got += await data(line, stream, len(WHOLE) - len(got))
    assert got == WHOLE
    line.answer(stream, b"answer")
    assert await asked == b"answer"


async def test_a_window_that_is_taken_back_has_to_be_filled_up(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, DATA)
    line = await peer.line({Setting.INITIAL_WINDOW_SIZE: 50_000})
    stream, _ = await line.opened()
    got = await data(line, stream, 50_000)
    line.more(0, 1 << 30)
    line.set(Setting.INITIAL_WINDOW_SIZE, 10_000)  # 40,000 below nothing
    line.more(stream, 40_000)
    assert await silent(line)
    line.more(stream, 1)
    got += await data(line, stream, 1)
    assert await silent(line)
    line.set(Setting.INITIAL_WINDOW_SIZE, 1 << 30)
    got += await data(line, stream, len(WHOLE) - len(got))
    assert got == WHOLE
    line.answer(stream)
    await asked


async def test_a_connection_without_room_lets_all_wait_and_serves_each(peer: Peer, transport: Http2Transport) -> None:
    asked = [ask(transport, bytes([number]) * 200_000) for number in range(3)]
    line = await peer.line({Setting.INITIAL_WINDOW_SIZE: 1 << 20})
    streams = [(await line.opened())[0] for _ in asked]
    got = dict.fromkeys(streams, b"")
    room = FIRST_WINDOW
    while room or not all(len(each) == 200_005 for each in got.values()):
        if not room:
            assert await silent(line)
            room = min(100_000, 3 * 200_005 - sum(map(len, got.values())))
            line.more(0, room)
        part = await line.next(Kind.DATA)
        got[part.stream] += part.payload
        room -= len(part.payload)
        assert room >= 0
    assert [got[stream] for stream in streams] == [message(bytes([number]) * 200_000) for number in range(3)]
    for stream in reversed(streams):
        line.answer(stream, b"%d" % stream)
    assert await asyncio.gather(*asked) == [b"%d" % stream for stream in streams]


async def test_a_call_with_room_passes_one_that_has_none(peer: Peer, transport: Http2Transport) -> None:
    large = ask(transport, DATA)
    line = await peer.line({Setting.INITIAL_WINDOW_SIZE: 20_000})
    line.more(0, 1 << 30)
    stuck, _ = await line.opened()
    await data(line, stuck, 20_000)
    for size in (5, 15_000):
        small = ask(transport, b"s" * size)
        request = await line.request()
        line.answer(request.stream, request.message)
        assert await small == b"s" * size
    assert await cancelled(large)


async def test_frames_are_as_large_as_the_server_wants_them(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, DATA)
    line = await peer.line({Setting.INITIAL_WINDOW_SIZE: 1 << 30})
    line.more(0, 1 << 30)
    stream, _ = await line.opened()
    assert len((await line.next(Kind.DATA)).payload) == 16384
    await line.rest(stream)
    line.set(Setting.MAX_FRAME_SIZE, 300_000)
    line.answer(stream)
    await asked
    asked = ask(transport, DATA)
    stream, _ = await line.opened()
    assert [len((await line.next(Kind.DATA)).payload) for _ in range(3)] == [300_000] * 3
    line.answer(stream)
    await asked


async def test_a_request_ends_with_its_last_byte(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, bytes(3 * 16384 - 5))
    line = await peer.line()
    stream, _ = await line.opened()
    assert [(await line.next(Kind.DATA)).flags for _ in range(3)] == [0, 0, Flag.END_STREAM]
    line.answer(stream)
    await asked


async def test_a_server_is_given_as_much_room_as_it_uses(
    peer: Peer, transport: Http2Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WINDOW", WINDOW)
    line, slow, trickling = await asked_of(peer, transport)
    fast = ask(transport)
    stream = (await line.request()).stream
    line.send(line.fields(slow, OK), frame(Kind.DATA, 0, slow, WHOLE[:5]), line.fields(stream, OK))
    room = {0: WINDOW - 5, slow: WINDOW - 5, stream: WINDOW}
    place = 0
    while place < len(WHOLE):
        size = min(16384, len(WHOLE) - place, room[0], room[stream])
        assert size
        line.send(frame(Kind.DATA, 0, stream, WHOLE[place : place + size]))
        room[0] -= size
        room[stream] -= size
        place += size
        for number, more in (await line.room()).items():
            room[number] += more
            assert room[number] <= WINDOW
    line.send(line.trailers(stream))
    assert await fast == DATA
    line.reset(slow, Code.INTERNAL_ERROR)
    await failure(trickling)


async def test_calls_that_are_too_many_have_their_turns_in_order(peer: Peer, transport: Http2Transport) -> None:
    asked = [ask(transport, b"%d" % number) for number in range(5)]
    line = await peer.line({Setting.MAX_CONCURRENT_STREAMS: 1})
    for number in range(5):
        request = await line.request()
        assert request.message == b"%d" % number
        assert await silent(line)
        line.answer(request.stream, request.message)
    assert await asyncio.gather(*asked) == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_call_does_not_overtake_those_that_wait(peer: Peer, transport: Http2Transport) -> None:
    first, second = ask(transport, b"first"), ask(transport, b"second")
    line = await peer.line({Setting.MAX_CONCURRENT_STREAMS: 1})
    request = await line.request()
    line.answer(request.stream)
    await first
    third = ask(transport, b"third")
    for each, data in ((second, b"second"), (third, b"third")):
        request = await line.request()
        assert request.message == data
        line.answer(request.stream)
        await each


async def test_the_number_of_calls_may_change(peer: Peer, transport: Http2Transport) -> None:
    asked = [ask(transport, b"%d" % number) for number in range(6)]
    line = await peer.line({Setting.MAX_CONCURRENT_STREAMS: 0})
    assert await silent(line)
    line.set(Setting.MAX_CONCURRENT_STREAMS, 3)
    streams = [(await line.request()).stream for _ in range(3)]
    line.set(Setting.MAX_CONCURRENT_STREAMS, 1)
    line.answer(streams[0])
    line.answer(streams[1])
    assert await silent(line)
    line.answer(streams[2])
    line.answer((await line.request()).stream)
    line.set(Setting.MAX_CONCURRENT_STREAMS, 100)
    for _ in range(2):
        line.answer((await line.request()).stream)
    await asyncio.gather(*asked)


def cancel_when(turn: asyncio.Future[None], task: asyncio.Task[bytes]) -> None:
    """Cancel a call between its turn and its beginning."""
    if turn.done():
        task.cancel()
    else:
        asyncio.get_running_loop().call_soon(cancel_when, turn, task)


async def test_a_turn_that_is_given_up_goes_to_the_next(peer: Peer, transport: Http2Transport) -> None:
    line, stream, first = await asked_of(peer, transport)
    line.set(Setting.MAX_CONCURRENT_STREAMS, 1)
    await line.synced()
    second, third, fourth = (ask(transport, data) for data in (b"2", b"3", b"4"))
    await line.synced()
    assert await cancelled(third)
    assert transport._connection is not None
    cancel_when(transport._connection._waiting[0], second)
    line.answer(stream)
    request = await line.request()
    assert (request.stream, request.message) == (3, b"4")
    assert second.cancelled()
    line.answer(request.stream, b"answer")
    assert (await first, await fourth) == (b"", b"answer")


async def test_the_deadline_holds_for_who_waits_for_a_turn(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.set(Setting.MAX_CONCURRENT_STREAMS, 1)
    await line.synced()
    assert await failure(ask(transport, within=0.05)) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
    line.answer(stream)
    await asked
    again = ask(transport, b"again")
    request = await line.request()
    assert request.message == b"again"
    line.answer(request.stream)
    await again


async def test_streams_that_run_out_make_a_new_connection(peer: Peer, transport: Http2Transport) -> None:
    line, stream, first = await asked_of(peer, transport)
    old = transport._connection
    assert old is not None
    old._next = LAST_STREAM
    last = ask(transport, b"last")
    request = await line.request()
    assert request.stream == LAST_STREAM
    fresh_line, fresh_stream, fresh = await asked_of(peer, transport)
    fresh_line.answer(fresh_stream, b"fresh")
    assert await fresh == b"fresh"
    line.answer(stream, b"first")
    line.answer(request.stream, b"last")
    assert (await first, await last) == (b"first", b"last")
    assert await line.ended()
