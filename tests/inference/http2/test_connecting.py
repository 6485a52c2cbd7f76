"""How a connection is made, and what a peer is told to be that is no server of gRPC."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from calls import ask, asked_of, cancelled, failure
from scripted_peer import Peer

from eventbraid.http2.frames import Code, Kind, frame, settings
from eventbraid.inference.servers import security
from eventbraid.inference.servers.given import Server
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.inference.transport.http2 import transport as module


def transport_to(address: str) -> Http2Transport:
    return Http2Transport(Server(address))


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


async def test_calls_that_are_made_at_once_connect_once(peer: Peer, transport: Http2Transport) -> None:
    asked = [ask(transport, b"%d" % number) for number in range(20)]
    line = await peer.line()
    for _ in asked:
        request = await line.request()
        line.answer(request.stream, request.message)
    assert await asyncio.gather(*asked) == [b"%d" % number for number in range(20)]
    assert len(peer.lines) == 1


async def test_no_call_is_made_before_the_server_has_greeted(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport)
    line = await peer.raw()
    await line.greeted()
    line.send(settings({}))
    assert (await line.next()).kind == Kind.SETTINGS
    line.answer((await line.request()).stream)
    await asked


async def test_where_nobody_listens_a_call_is_unavailable(nothing_left_on_the_loop: None, nobody: str) -> None:
    transport = transport_to(nobody)
    assert await failure(ask(transport)) == ("UNAVAILABLE", f"{nobody}: failed to connect: Connection refused")
    await transport.aclose()


async def test_where_several_addresses_fail_the_reason_is_said_once(
    nothing_left_on_the_loop: None, nobody: str
) -> None:
    address = f"localhost:{nobody.rpartition(':')[2]}"
    transport = transport_to(address)
    assert await failure(ask(transport)) == ("UNAVAILABLE", f"{address}: failed to connect: Connection refused")
    await transport.aclose()


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "x" * 64])
async def test_a_name_that_is_no_host_is_unavailable(nothing_left_on_the_loop: None, name: str) -> None:
    transport = transport_to(f"{name}:1")
    code, details = await failure(ask(transport))
    assert code == "UNAVAILABLE"
    assert details.startswith(f"{name}:1: failed to connect: ")
    await transport.aclose()


ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
STRANGERS = {
    b"HTTP/1.1 400 Bad Request\r\n\r\n": "it speaks HTTP/1: is this its port for gRPC?",
    b"SSH-2.0-OpenSSH_9.6\r\n": r"it begins with b'SSH-2.0-OpenSSH_9.6\r\n'",
    ALERT: "it speaks TLS",
    b"220 smtp": "it begins with b'220 smtp'",
    b"\0" * 64: f"it begins with {bytes(24)!r}",
    frame(Kind.PING, 0, 0, bytes(8)): "it begins with ",
    frame(Kind.SETTINGS, 1, 0): "it begins with ",
    b"": "the server closed the connection at once",
}


@pytest.mark.parametrize("says", STRANGERS)
async def test_a_peer_that_is_no_server_is_told_what_it_is(
    peer: Peer, transport: Http2Transport, says: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "LOOK_SECONDS", 0.05)
    asked = [ask(transport) for _ in range(3)]
    line = await peer.raw()
    await line.greeted()  # else the system may drop what is said
    line.send(says)
    line.close()
    for each in asked:
        code, details = await failure(each)
        assert code == "UNAVAILABLE"
        assert details.startswith(f"{peer.address}: failed to connect: ")
        assert STRANGERS[says] in details
    again = ask(transport)
    if says in (b"", ALERT):
        await peer.raw()  # whether it speaks TLS
    line = await peer.line()
    line.answer((await line.request()).stream, b"at last")
    assert await again == b"at last"


async def test_a_server_that_leaves_at_once_is_unavailable(peer: Peer, transport: Http2Transport) -> None:
    asked = ask(transport)
    for _ in range(2):
        line = await peer.raw()
        line.send(settings({}))
        line.go_away(0, Code.NO_ERROR, b"full")
    why = "the server is going away (GOAWAY NO_ERROR: full)"
    assert await failure(asked) == ("UNAVAILABLE", why)


async def test_who_says_nothing_has_so_much_time(
    peer: Peer, transport: Http2Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.05)
    asked = ask(transport)
    line = await peer.raw()
    why = f"{peer.address}: failed to connect within 0.05 s"
    assert await failure(asked) == ("UNAVAILABLE", why)
    await line.ended()


async def test_the_deadline_holds_while_connecting_and_others_go_on(peer: Peer, transport: Http2Transport) -> None:
    short, long = ask(transport, within=0.05), ask(transport, b"long")
    line = await peer.raw()
    assert await failure(short) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
    await line.greet()
    request = await line.request()
    line.answer(request.stream, b"answer")
    assert (await long, request.message) == (b"answer", b"long")


async def test_a_call_that_is_cancelled_while_connecting_leaves_the_others_alone(
    peer: Peer, transport: Http2Transport
) -> None:
    gone, stays = ask(transport, b"gone"), ask(transport, b"stays")
    line = await peer.raw()
    assert await cancelled(gone)
    await line.greet()
    request = await line.request()
    line.answer(request.stream)
    await stays
    assert (request.stream, request.message) == (1, b"stays")


async def test_a_transport_that_is_closed_while_connecting_fails_its_calls(
    peer: Peer, transport: Http2Transport
) -> None:
    asked = [ask(transport) for _ in range(3)]
    line = await peer.raw()
    await transport.aclose()
    for each in asked:
        assert await failure(each) == ("UNAVAILABLE", "the connection was given up")
    await line.ended()


async def test_a_transport_that_is_closed_before_it_connects_fails_its_calls(
    peer: Peer, transport: Http2Transport
) -> None:
    asked = ask(transport)
    await asyncio.sleep(0)  # the attempt has been made, but not come far
    await transport.aclose()
    assert await failure(asked) == ("UNAVAILABLE", "the connection was given up")


async def test_a_transport_that_is_closed_fails_the_calls_on_their_way_and_takes_no_more(
    peer: Peer, transport: Http2Transport
) -> None:
    line, _, asked = await asked_of(peer, transport)
    large = ask(transport, b"x" * 5_000_000)
    await line.opened()
    await transport.aclose()
    for each in (asked, large, ask(transport)):
        assert await failure(each) == ("UNAVAILABLE", "the connection was given up")
    assert len(peer.lines) == 1


async def test_a_transport_may_be_closed_twice_and_without_a_call(peer: Peer, transport: Http2Transport) -> None:
    await asyncio.gather(transport.aclose(), transport.aclose())
    assert not peer.lines


async def test_old_connections_are_closed_with_the_transport(peer: Peer, transport: Http2Transport) -> None:
    line, stream, old = await asked_of(peer, transport)
    line.go_away(stream)
    await line.synced()
    fresh, _, new = await asked_of(peer, transport)
    await transport.aclose()
    for each in (old, new):
        assert await failure(each) == ("UNAVAILABLE", "the connection was given up")
    await line.ended()
    await fresh.ended()
