"""What becomes of a call, by what the server answers."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from calls import ask, asked_of, cancelled, failure
from scripted_peer import DONE, OK, Fields, Peer, message

from eventbraid.http2.frames import Code, Flag, Kind, Setting, frame, head
from eventbraid.inference.transport.http2 import Http2Transport


async def test_a_call_is_answered(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, b"question")
    line = await peer.line()
    request = await line.request()
    assert request.message == b"question"
    line.answer(request.stream, b"answer")
    assert await asked == b"answer"


async def test_a_call_says_what_grpc_wants_to_know(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport)
    line = await peer.line()
    stream, fields = await line.opened()
    micro = fields.pop("grpc-timeout")
    assert fields == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/inference.GRPCInferenceService/ModelInfer",
        ":authority": peer.address,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "eventbraid",
        "grpc-accept-encoding": "identity",
    }
    assert micro.endswith("u")
    assert 0 < int(micro[:-1]) <= 5_000_000
    line.answer(stream)
    await asked


@pytest.mark.parametrize("size", [0, 1, 16379, 16380, 70_000, 3_000_000])
async def test_answers_of_every_size_come_whole(peer: Peer, transport: Http2Transport, size: int) -> None:
    line, stream, asked = await asked_of(peer, transport)
    data = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    line.answer(stream, data)
    assert await asked == data


async def test_padding_and_priority_are_no_part_of_an_answer(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    block = line.encoder.encode(list(OK))
    padded, ended = Flag.PADDED, Flag.END_HEADERS | Flag.END_STREAM
    line.send(
        frame(Kind.HEADERS, padded | Flag.PRIORITY | Flag.END_HEADERS, stream, b"\3" + bytes(5) + block + b"ppp"),
        frame(Kind.DATA, padded, stream, b"\xff" + message(b"answer")[:7] + bytes(255)),
        frame(Kind.DATA, padded, stream, b"\0" + message(b"answer")[7:]),
        frame(Kind.DATA, padded, stream, b"\4" + bytes(4)),
        frame(Kind.HEADERS, padded | ended, stream, b"\0" + line.encoder.encode(list(DONE))),
    )
    assert await asked == b"answer"


async def test_fields_may_come_in_several_frames(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    block = line.encoder.encode([*OK, ("grpc-status", "5"), ("grpc-message", "no such model")])
    first, *middle, last = (block[place : place + 7] for place in range(0, len(block), 7))
    line.send(
        frame(Kind.HEADERS, Flag.END_STREAM, stream, first),
        *(frame(Kind.CONTINUATION, 0, stream, part) for part in middle),
        frame(Kind.CONTINUATION, Flag.END_HEADERS, stream, last),
    )
    assert await failure(asked) == ("NOT_FOUND", "no such model")


async def test_the_text_of_a_status_may_be_long_and_in_any_language(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    text = "Traceback: größer als 100 % → 大\n" * 2000
    block = line.encoder.encode([*OK, ("grpc-status", "13"), ("grpc-message", quote(text, safe=" "))], huffman=False)
    parts = [block[place : place + 16384] for place in range(0, len(block), 16384)]
    line.send(frame(Kind.HEADERS, Flag.END_STREAM, stream, parts[0]))
    line.send(*(frame(Kind.CONTINUATION, 0, stream, part) for part in parts[1:]))
    line.send(frame(Kind.CONTINUATION, Flag.END_HEADERS, stream))
    assert await failure(asked) == ("INTERNAL", text)


BROKEN = [
    ((("grpc-status", "0"),), "INTERNAL", "the answer of 0 bytes is not one message"),
    ((("grpc-status", "5"), ("grpc-message", "a%20b%zz%")), "NOT_FOUND", "a b%zz%"),
    ((("grpc-status", "16"),), "UNAUTHENTICATED", ""),
    ((("grpc-status", "17"),), "UNKNOWN", ""),
    ((("grpc-status", "x"),), "UNKNOWN", ""),
    ((("grpc-status", ""),), "UNKNOWN", ""),
    ((("grpc-status", "9" * 5000),), "UNKNOWN", ""),
    ((), "UNKNOWN", "the answer has no status of gRPC"),
    (((":status", "503"), ("grpc-status", "8"), ("grpc-message", "full")), "RESOURCE_EXHAUSTED", "full"),
    (((":status", "503"),), "UNAVAILABLE", "the answer has HTTP status 503 and is text/html"),
    (((":status", "429"),), "UNAVAILABLE", "the answer has HTTP status 429 and is text/html"),
    (((":status", "502"),), "UNAVAILABLE", "the answer has HTTP status 502 and is text/html"),
    (((":status", "400"),), "INTERNAL", "the answer has HTTP status 400 and is text/html"),
    (((":status", "401"),), "UNAUTHENTICATED", "the answer has HTTP status 401 and is text/html"),
    (((":status", "403"),), "PERMISSION_DENIED", "the answer has HTTP status 403 and is text/html"),
    (((":status", "404"),), "UNIMPLEMENTED", "the answer has HTTP status 404 and is text/html"),
    (((":status", "302"),), "UNKNOWN", "the answer has HTTP status 302 and is text/html"),
    (((":status", "200"),), "UNKNOWN", "the answer has no status of gRPC and is text/html"),
]


@pytest.mark.parametrize(("fields", "code", "details"), BROKEN)
async def test_an_answer_without_message_is_its_status(
    peer: Peer, transport: Http2Transport, fields: Fields, code: str, details: str
) -> None:
    line, stream, asked = await asked_of(peer, transport)
    http = [*fields, ("content-type", "text/html")] if ":status" in dict(fields) else [*OK, *fields]
    line.send(line.trailers(stream, http))
    assert await failure(asked) == (code, details)


async def test_a_web_page_is_no_answer(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.send(
        line.fields(stream, ((":status", "503"), ("content-type", "text/html"))),
        frame(Kind.DATA, Flag.END_STREAM, stream, b"<html>We are sorry</html>"),
    )
    assert await failure(asked) == ("UNAVAILABLE", "the answer has HTTP status 503 and is text/html")


async def test_an_informational_answer_is_passed_over(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.send(line.fields(stream, [(":status", "103"), ("link", "x")]))
    line.answer(stream, b"answer")
    assert await asked == b"answer"


@pytest.mark.parametrize(
    "data",
    [message(b"one") + message(b"two"), message(b"cut short")[:-1], message(b"cut")[:3], message(b"more") + b"!"],
)
async def test_an_answer_that_is_not_one_message_says_so(peer: Peer, transport: Http2Transport, data: bytes) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.send(line.fields(stream, OK), frame(Kind.DATA, 0, stream, data), line.trailers(stream))
    assert await failure(asked) == ("INTERNAL", f"the answer of {len(data)} bytes is not one message")


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_requests_and_answers_may_be_compressed(
    peer: Peer, transport: Http2Transport, encoding: str, compress: object, size: int
) -> None:
    asked = ask(transport, b"q" * size, compression=encoding)
    line = await peer.line()
    stream, fields = await line.opened()
    assert fields["grpc-encoding"] == encoding
    assert fields["grpc-accept-encoding"] == "identity,deflate,gzip"
    got = await line.next(Kind.DATA)
    assert got.payload[0] == 1
    assert zlib.decompress(got.payload[5:], 47) == b"q" * size
    squeezed = compress(b"a" * size)  # type: ignore[operator]
    line.send(
        line.fields(stream, [*OK, ("grpc-encoding", encoding)]),
        frame(Kind.DATA, 0, stream, message(squeezed, 1)),
        line.trailers(stream),
    )
    assert await asked == b"a" * size


@pytest.mark.parametrize(
    ("encoding", "details"),
    [
        ((), "the answer is compressed as nobody says"),
        ((("grpc-encoding", "snappy"),), "the answer is compressed as snappy"),
        ((("grpc-encoding", "gzip"),), "the answer cannot be decompressed: "),
    ],
)
async def test_an_answer_compressed_as_we_cannot_read_it_says_so(
    peer: Peer, transport: Http2Transport, encoding: Fields, details: str
) -> None:
    line, stream, asked = await asked_of(peer, transport)
    body = frame(Kind.DATA, 0, stream, message(b"garbage", 1))
    line.send(line.fields(stream, [*OK, *encoding]), body, line.trailers(stream))
    code, text = await failure(asked)
    assert code == "INTERNAL"
    assert text.startswith(details)


async def test_no_answer_waits_for_a_thread_longer_than_to_its_deadline(peer: Peer, transport: Http2Transport) -> None:
    end = threading.Event()
    with ThreadPoolExecutor(1) as only:
        asyncio.get_running_loop().set_default_executor(only)
        busy = asyncio.get_running_loop().run_in_executor(None, end.wait)
        try:
            line, stream, plain = await asked_of(peer, transport)
            line.answer(stream, bytes(3_000_000))
            assert await plain == bytes(3_000_000)
            squeezed = ask(transport, within=0.1)
            stream = (await line.request()).stream
            fields, body = [*OK, ("grpc-encoding", "gzip")], message(gzip.compress(b"x"), 1)
            line.send(line.fields(stream, fields), frame(Kind.DATA, 0, stream, body), line.trailers(stream))
            assert await failure(squeezed) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
            late = ask(transport, within=0.1, compression="gzip")
            assert await failure(late) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
        finally:
            end.set()
            await busy


async def test_an_answer_before_the_request_was_sent_stops_the_request(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, b"x" * 200_000)
    line = await peer.line()
    stream, _ = await line.opened()
    line.send(line.trailers(stream, [*OK, ("grpc-status", "8"), ("grpc-message", "too large")]))
    assert await failure(asked) == ("RESOURCE_EXHAUSTED", "too large")
    reset = await line.next(Kind.RST_STREAM)
    assert (reset.stream, int.from_bytes(reset.payload, "big")) == (stream, Code.CANCEL)


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped(peer: Peer, transport: Http2Transport) -> None:
    line, first, asked = await asked_of(peer, transport)
    assert await cancelled(asked)
    line.answer(first, b"late")
    again = ask(transport)
    request = await line.request()
    line.answer(request.stream, b"in time")
    assert await again == b"in time"


async def test_frames_of_a_kind_that_nobody_knows_are_passed_over(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.send(frame(0x42, 0xFF, stream, b"what?"), frame(Kind.PRIORITY, 0, stream, bytes(5)))
    line.set(Setting.HEADER_TABLE_SIZE, 0)
    line.send(frame(Kind.SETTINGS, 0, 0, bytes((0x7F, 0xFF)) + bytes(4)))
    line.answer(stream, b"answer")
    assert await asked == b"answer"


async def test_a_server_may_remember_no_fields(peer: Peer, transport: Http2Transport) -> None:
    asked = [ask(transport), ask(transport)]
    line = await peer.line({Setting.HEADER_TABLE_SIZE: 0})
    line.decoder.max_allowed_table_size = 0
    for _ in asked:
        line.answer((await line.opened())[0])
    assert await asyncio.gather(*asked) == [b"", b""]


async def test_a_ping_is_answered(peer: Peer, transport: Http2Transport) -> None:
    line, stream, asked = await asked_of(peer, transport)
    await line.synced()
    line.answer(stream)
    await asked


WRONG = {
    "it pushes what nobody asked for": lambda stream: frame(Kind.PUSH_PROMISE, Flag.END_HEADERS, stream, bytes(4)),
    "it answers on stream 101 a call that nobody made": lambda stream: frame(Kind.DATA, 0, 101, b"x"),
    "it answers on stream 2 a call that nobody made": lambda stream: frame(Kind.HEADERS, Flag.END_HEADERS, 2, b"\x88"),
    "it answers on stream 0 a call that nobody made": lambda stream: frame(Kind.DATA, 0, 0, b""),
    "a header block is interrupted": lambda stream: (
        frame(Kind.HEADERS, 0, stream, b"\x88") + frame(Kind.DATA, 0, stream)
    ),
    "a header block goes on that has not begun": lambda stream: frame(Kind.CONTINUATION, Flag.END_HEADERS, stream),
    "a header block cannot be read": lambda stream: frame(Kind.HEADERS, Flag.END_HEADERS, stream, b"\xff\xff\xff"),
    "a header block does not end": lambda stream: (
        frame(Kind.HEADERS, 0, stream) + frame(Kind.CONTINUATION, 0, stream, bytes(16384)) * 65
    ),
    "it opens a window of": lambda stream: frame(Kind.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
    "it sets a window of": lambda stream: frame(Kind.SETTINGS, 0, 0, b"\0\4\x80\0\0\0"),
    "it sets frames of at most 0 bytes": lambda stream: frame(Kind.SETTINGS, 0, 0, b"\0\5\0\0\0\0"),
    "a SETTINGS frame has no whole number": lambda stream: frame(Kind.SETTINGS, 0, 0, b"\0\4"),
    "a GOAWAY frame is cut short": lambda stream: frame(Kind.GOAWAY, 0, 0, b"\0\0\0\0"),
    "a PING has 7 bytes": lambda stream: frame(Kind.PING, 0, 0, bytes(7)),
    "3 bytes stand where a number should be": lambda stream: frame(Kind.RST_STREAM, 0, stream, bytes(3)),
    "5 bytes stand where a number should be": lambda stream: frame(Kind.WINDOW_UPDATE, 0, stream, bytes(5)),
    "a frame of 1048577 bytes": lambda stream: head(Kind.DATA, 0, stream, (1 << 20) + 1),
    "a DATA frame is shorter than its padding": lambda stream: frame(Kind.DATA, Flag.PADDED, stream, b"\2x"),
    "a frame is shorter than its padding": lambda stream: frame(Kind.HEADERS, Flag.PADDED, stream, b"\2x"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_server_that_breaks_the_protocol_is_left_at_once(
    peer: Peer, transport: Http2Transport, what: str
) -> None:
    line, stream, asked = await asked_of(peer, transport)
    line.send(WRONG[what](stream))
    code, details = await failure(asked)
    assert code == "UNAVAILABLE"
    assert details.startswith(f"the server does not speak HTTP/2 as it should: {what}")
    await line.ended()
    line, stream, asked = await asked_of(peer, transport)
    line.answer(stream, b"again")
    assert await asked == b"again"
