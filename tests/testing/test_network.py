"""A faulty network does to the bytes what it is told, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError
from eventbraid.testing import FaultyNetwork
from eventbraid.testing.garbling import Garbler, flip


class Clock:
    """Sleeps no time and notes how much it was to be."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> Clock:
    """The network's."""
    return Clock()


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """The address of a server that says everything again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def network(echo: str, clock: Clock) -> AsyncIterator[FaultyNetwork]:
    """Before that server."""
    async with FaultyNetwork(echo, sleep=clock.sleep) as made:
        yield made


class Caller:
    """A connection through a network."""

    def __init__(self, network: FaultyNetwork) -> None:
        self._address = network.address.rpartition(":")

    async def __aenter__(self) -> Caller:
        self.reader, self._writer = await asyncio.open_connection(self._address[0], int(self._address[2]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def said(self, data: bytes) -> bytes:
        """What comes back of it."""
        self._writer.write(data)
        return await self.reader.readexactly(len(data))


async def test_what_goes_through_comes_out_as_it_was(network: FaultyNetwork, clock: Clock) -> None:
    sent = bytes(range(256)) * 4000
    async with Caller(network) as caller:
        assert await caller.said(sent) == sent
    assert network.carried == 2 * len(sent)
    assert clock.slept == []


async def test_it_delays_both_ways(network: FaultyNetwork, clock: Clock) -> None:
    network.delay = (1000.0, 1000.0)
    async with Caller(network) as caller:
        assert await caller.said(b"late") == b"late"
    assert clock.slept == pytest.approx([1000, 1000], abs=10)


async def test_it_draws_the_same_delays_with_the_same_seed(echo: str) -> None:
    async def delays(seed: int) -> list[float]:
        clock = Clock()
        async with FaultyNetwork(echo, seed=seed, sleep=clock.sleep) as network:
            network.delay = (1000.0, 1_000_000.0)
            for _ in range(3):
                async with Caller(network) as caller:
                    await caller.said(b"late")
        return [round(each, -2) for each in clock.slept]

    assert await delays(1) == await delays(1) != await delays(2)


async def test_it_throttles(network: FaultyNetwork, clock: Clock) -> None:
    network.rate = 1_000_000
    async with Caller(network) as caller:
        await caller.said(bytes(200_000))
    assert sum(clock.slept) == pytest.approx(0.4)


async def test_it_holds_bytes_and_loses_none(network: FaultyNetwork) -> None:
    async with Caller(network) as caller:
        assert await caller.said(b"before") == b"before"
        network.hold()
        asked = asyncio.create_task(caller.said(b"held"))
        done, _ = await asyncio.wait([asked], timeout=0.05)
        assert not done
        network.release()
        assert await asked == b"held"


async def test_it_cuts_what_is_under_way(network: FaultyNetwork) -> None:
    async with Caller(network) as caller:
        await caller.said(b"before")
        network.hold()
        asked = asyncio.create_task(caller.said(b"cut"))
        await network.cut()
        assert not network.connections
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asked


async def test_it_refuses_and_takes_connections_again_at_the_same_address(network: FaultyNetwork) -> None:
    address = network.address
    await network.refuse()
    with pytest.raises(ConnectionRefusedError):
        async with Caller(network):
            pass
    await network.accept()
    assert network.address == address
    async with Caller(network) as caller:
        assert await caller.said(b"again") == b"again"


async def test_it_garbles_the_share_of_bytes_that_is_said(network: FaultyNetwork) -> None:
    async with Caller(network) as caller:
        assert await caller.said(bytes(1000)) == bytes(1000)
        network.garbled = 1e-3
        changed = await caller.said(bytes(1_000_000))
        network.garbled = 0.0
        assert await caller.said(bytes(1000)) == bytes(1000)
    assert 1500 < sum(map(bool, changed)) < 2500  # both ways


async def test_a_silent_one_takes_a_connection_and_says_nothing_for_so_long(echo: str) -> None:
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == 30
        asleep.set()
        await awake.wait()

    async with FaultyNetwork(echo, sleep=sleep) as network:
        network.silent = 30
        async with Caller(network) as caller:
            asked = asyncio.create_task(caller.said(b"hello"))
            await asleep.wait()
            assert network.carried == 0
            awake.set()
            assert await asked == b"hello"


async def test_a_silent_one_can_be_cut(echo: str) -> None:
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    async with FaultyNetwork(echo, sleep=sleep) as network:
        network.silent = 30
        async with Caller(network) as caller:
            asked = asyncio.create_task(caller.said(b"hello"))
            await asleep.wait()
            await network.cut()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asked


async def test_a_port_that_is_taken_is_the_users_fault(network: FaultyNetwork, echo: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await FaultyNetwork(echo, port=int(network.address.rpartition(":")[2])).accept()


def test_an_address_that_is_none_is_the_users_fault() -> None:
    with pytest.raises(ConfigurationError, match="no server address"):
        FaultyNetwork("localhost")


@given(st.binary(max_size=500), st.lists(st.integers(0, 100)), st.floats(0, 1), st.integers())
def test_which_bytes_are_garbled_does_not_depend_on_the_pieces(
    data: bytes, pieces: list[int], share: float, seed: int
) -> None:
    whole = Garbler(Random(seed)).pass_on(data, share)
    garbler, found, rest = Garbler(Random(seed)), b"", data
    for size in pieces:
        found += garbler.pass_on(rest[:size], share)
        rest = rest[size:]
    assert found + garbler.pass_on(rest, share) == whole
    assert len(whole) == len(data)


@given(st.binary(), st.integers())
def test_a_share_of_one_changes_every_byte_and_none_changes_none(data: bytes, seed: int) -> None:
    garbler = Garbler(Random(seed))
    assert all(one != other for one, other in zip(garbler.pass_on(data, 1.0), data, strict=True))
    assert garbler.pass_on(data, 0.0) == data


@given(st.binary(), st.integers(1, 20), st.integers())
def test_exactly_so_many_bytes_are_flipped(data: bytes, count: int, seed: int) -> None:
    changed = flip(data, count, Random(seed))
    assert sum(one != other for one, other in zip(changed, data, strict=True)) == min(count, len(data))
