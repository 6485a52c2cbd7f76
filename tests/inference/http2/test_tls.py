"""Calls over TLS, on both event loops; and servers that leave in the middle of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from calls import ask, asked_of, cancelled, failure
from certificates import Authority
from scripted_peer import Peer

from eventbraid.http2.frames import Code, Kind, Setting
from eventbraid.inference.servers import security
from eventbraid.inference.servers.server import TLS, Server
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.inference.transport.http2 import transport as module


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the clients trust."""
    return Authority(tmp_path_factory.mktemp("certificates") / "authority")


def server_context(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = authority.issue("127.0.0.1")
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_alpn_protocols(["h2"])
    return context


@pytest.fixture
async def peer(nothing_left_on_the_loop: None, authority: Authority) -> AsyncIterator[Peer]:
    """A server with a certificate."""
    async with Peer(server_context(authority)) as made:
        yield made


def transport_to(address: str, authority: Authority) -> Http2Transport:
    return Http2Transport(Server(address, tls=TLS(authority.roots)))


@pytest.fixture
async def transport(peer: Peer, authority: Authority) -> AsyncIterator[Http2Transport]:
    made = transport_to(peer.address, authority)
    yield made
    await made.aclose()


async def test_a_call_goes_over_tls(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport, b"question")
    line = await peer.line()
    stream, fields = await line.opened()
    assert fields[":scheme"] == "https"
    assert line.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    assert await line.body(stream) == b"question"
    line.answer(stream, b"answer")
    assert await asked == b"answer"


async def test_large_messages_go_over_tls(peer: Peer, transport: Http2Transport) -> None:
    data = bytes(range(256)) * 40_000
    asked = [ask(transport, data) for _ in range(3)]
    line = await peer.line({Setting.INITIAL_WINDOW_SIZE: 1 << 30})
    line.more(0, 1 << 30)
    got: dict[int, int] = {}
    while list(got.values()).count(len(data) + 5) < 3:
        part = await line.next(Kind.DATA)
        got[part.stream] = got.get(part.stream, 0) + len(part.payload)
    for stream in got:
        line.answer(stream, data)
    assert await asyncio.gather(*asked) == [data] * 3


@pytest.mark.parametrize(("way", "within"), [("cancel", 5.0), ("deadline", 1.0)])
async def test_a_server_that_reads_nothing_is_written_no_more_than_it_takes(
    peer: Peer, transport: Http2Transport, way: str, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, stream, first = await asked_of(peer, transport)
    line.set(Setting.INITIAL_WINDOW_SIZE, 1 << 30)
    line.more(0, 1 << 30)
    line.answer(stream)
    await first
    asked = [ask(transport, bytes(20_000_000), within) for _ in range(3)]
    made = transport._connection
    assert made is not None
    paused, pause = asyncio.Event(), made.pause_writing

    def note() -> None:
        pause()
        paused.set()

    monkeypatch.setattr(made, "pause_writing", note)
    if not made._paused:
        await asyncio.wait_for(paused.wait(), 5)
    assert sum(len(part) for stream in made._streams.values() for part in stream.body) > 40_000_000
    for each in asked:
        if way == "cancel":
            assert await cancelled(each)
        else:
            assert (await failure(each))[0] == "DEADLINE_EXCEEDED"
    assert not made._streams
    reset = await line.next(Kind.RST_STREAM)
    assert int.from_bytes(reset.payload, "big") == Code.CANCEL


@pytest.mark.parametrize("abort", [False, True])
async def test_a_connection_that_is_lost_is_made_again(peer: Peer, transport: Http2Transport, abort: bool) -> None:
    line, stream, asked = await asked_of(peer, transport)
    if abort:
        line.writer.transport.abort()
    else:
        line.close()
    assert (await failure(asked))[0] == "UNAVAILABLE"
    line, stream, asked = await asked_of(peer, transport)
    line.answer(stream, b"again")
    assert await asked == b"again"


async def test_a_server_of_the_web_is_told_what_it_is(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport)
    line = await peer.raw()
    line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    why = "the server does not speak HTTP/2 as it should: it speaks HTTP/1: is this its port for gRPC?"
    assert await failure(asked) == ("UNAVAILABLE", f"{peer.address}: failed to connect: {why}")


async def test_a_server_that_closes_after_the_handshake_is_away_and_not_mistrusted(
    nothing_left_on_the_loop: None, authority: Authority
) -> None:
    context = server_context(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", ssl=context)
    async with server:
        transport = transport_to(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", authority)
        code, details = await failure(ask(transport))
        await transport.aclose()
    assert code == "UNAVAILABLE", details


async def test_a_server_that_does_not_shake_hands_has_so_much_time(
    nothing_left_on_the_loop: None, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.05)
    async with Peer() as plain:
        transport = transport_to(plain.address, authority)
        assert await failure(ask(transport)) == (
            "UNAVAILABLE",
            f"{plain.address}: failed to connect within 0.05 s",
        )
        await transport.aclose()


async def test_a_transport_that_is_closed_while_it_shakes_hands_fails_its_calls(
    nothing_left_on_the_loop: None, authority: Authority
) -> None:
    async with Peer() as plain:
        transport = transport_to(plain.address, authority)
        asked, late = ask(transport), ask(transport, within=0.02)
        await plain.raw()
        assert await failure(late) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
        await transport.aclose()
        assert await failure(asked) == ("UNAVAILABLE", "the connection was given up")


async def test_a_transport_that_is_closed_at_its_second_look_fails_its_calls(
    nothing_left_on_the_loop: None, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "LOOK_SECONDS", 5.0)
    async with Peer() as plain:
        transport = transport_to(plain.address, authority)
        asked = ask(transport)
        first = await plain.raw()
        first.writer.transport.abort()
        await plain.raw()
        await transport.aclose()
        assert await failure(asked) == ("UNAVAILABLE", "the connection was given up")


async def test_a_server_that_is_not_trusted_is_not_asked(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = Authority(tmp_path_factory.mktemp("certificates") / "stranger")
    transport = transport_to(peer.address, stranger)
    asked = [ask(transport) for _ in range(3)]
    for each in asked:
        code, details = await failure(each)
        assert code == "UNAUTHENTICATED"
        assert details.startswith("the server's certificate is not trusted")
    await transport.aclose()
    assert not peer.lines
