"""Sockets: of a host's addresses one that answers, whatever the others do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
from scripted_peer import Peer

from eventbraid.inference.transport.http2 import sockets
from eventbraid.inference.transport.http2.sockets import Address, addresses_of, connected_socket, reason


def of(address: str) -> Address:
    host, _, port = address.rpartition(":")
    return socket.AF_INET, (host, int(port))


@pytest.fixture
def deaf() -> Iterator[Address]:
    """An address where the network takes what is sent and nobody answers: a queue that is full."""
    with ExitStack() as stack:
        queue = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waits = stack.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(queue.getsockname())
        yield socket.AF_INET, queue.getsockname()


@pytest.fixture
def nobody() -> Iterator[Address]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield socket.AF_INET, taken.getsockname()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """The addresses that a name stands for."""
    addresses = list[Address]()

    async def named(host: str, port: int) -> list[Address]:
        return addresses

    monkeypatch.setattr(sockets, "addresses_of", named)
    monkeypatch.setattr(sockets, "STAGGER", 0.01)
    return addresses


@pytest.fixture
async def peers(nothing_left_on_the_loop: None) -> AsyncIterator[list[Peer]]:
    async with Peer() as one, Peer() as two:
        yield [one, two]


async def reached() -> object:
    with await connected_socket("name", 1) as made:
        return made.getpeername()


async def test_the_first_address_that_answers_is_taken(peers: list[Peer], found: list[Address]) -> None:
    found += [of(each.address) for each in peers]
    assert await reached() == found[0][1]


async def test_one_where_nobody_listens_is_passed_at_once(
    peers: list[Peer], found: list[Address], nobody: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "STAGGER", 1000)
    found += [nobody, of(peers[0].address)]
    assert await reached() == found[1][1]


async def test_one_that_does_not_answer_keeps_nobody_waiting(
    peers: list[Peer], found: list[Address], deaf: Address, nobody: Address
) -> None:
    found += [deaf, nobody, deaf, of(peers[0].address)]
    assert await reached() == found[3][1]


async def test_a_host_that_refuses_everywhere_says_so_once(
    nothing_left_on_the_loop: None, found: list[Address], nobody: Address
) -> None:
    found += [nobody, nobody]
    with pytest.raises(OSError, match=r"^Connection refused$"):
        await reached()


async def test_several_reasons_are_all_said(
    nothing_left_on_the_loop: None, found: list[Address], nobody: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "STAGGER", 1000)
    found += [nobody, (socket.AF_INET6, ("::ffff:255.255.255.255", 1, 0, 0))]
    with pytest.raises(OSError, match=r"^Connection refused, Network is unreachable$"):
        await reached()


async def test_who_gives_up_leaves_no_socket(
    nothing_left_on_the_loop: None, found: list[Address], deaf: Address
) -> None:
    found += [deaf, deaf]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reached()


async def test_a_socket_sends_at_once_and_keeps_its_connection_alive(peers: list[Peer], found: list[Address]) -> None:
    found.append(of(peers[0].address))
    made = await connected_socket("name", 1)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=made)
    given = transport.get_extra_info("socket")
    assert given.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert given.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert given.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    transport.abort()


async def test_an_address_in_numbers_is_itself() -> None:
    assert await addresses_of("127.0.0.1", 8001) == [(socket.AF_INET, ("127.0.0.1", 8001))]
    assert await addresses_of("::1", 8001) == [(socket.AF_INET6, ("::1", 8001, 0, 0))]


async def test_a_name_is_looked_up() -> None:
    assert (socket.AF_INET, ("127.0.0.1", 8001)) in await addresses_of("localhost", 8001)


def test_the_reason_is_in_the_words_of_the_system() -> None:
    assert reason(OSError(111, "Connect call failed ('127.0.0.1', 1)")) == "Connection refused"
    assert reason(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
    assert reason(OSError("what else")) == "what else"
