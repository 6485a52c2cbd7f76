"""The short form of the chaos, on two embedded servers: no event is lost or doubled, and every product is right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import faults
import pytest
from scene import Faults, Outcome, Scene, Way, play
from victims import Embedded
from work import Products

from eventbraid import ModuleError
from eventbraid.errors import AnswerError, ServerTimeout, ServerUnavailable
from eventbraid.inference.memory import pool
from eventbraid.testing import Fault, FaultyNetwork, FaultyServer
from eventbraid.testing.lies import LIES

EVENTS = 200
BACK = 1.0
"""Seconds after which a server that is ready must be in use."""
by_messages = pytest.mark.parametrize("way", ["http2"], indirect=True)
by_memory = pytest.mark.parametrize("way", ["memory"], indirect=True)
lies = pytest.mark.parametrize(
    ("way", "lie"), [(way, lie) for way in ("http2", "memory") for lie in LIES], indirect=["way"], ids=str
)


@pytest.fixture
async def servers(repository: Path) -> AsyncIterator[list[Embedded]]:
    """Two of them."""
    async with Embedded(repository) as one, Embedded(repository) as other:
        yield [one, other]


async def test_servers_that_are_killed_cost_no_event_and_are_soon_in_use_again(
    servers: list[Embedded], reference: Products, way: Way, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.kill(servers, 2)
    note += [await play("kill -9", EVENTS, addresses, harm, reference=reference, way=way, rounds=2)]
    assert max(note[0].back) < BACK


@by_memory
async def test_a_server_that_drains_fails_no_event_and_is_soon_in_use_again(
    servers: list[Embedded], reference: Products, way: Way, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.drain(servers, 1)
    note += [await play("SIGTERM and drain", EVENTS, addresses, harm, reference=reference, way=way)]
    assert max(note[0].back) < BACK


@by_memory
async def test_two_servers_killed_at_once_are_waited_for(
    servers: list[Embedded], reference: Products, way: Way, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.both_gone(servers)
    note += [await play("kill -9 of both", EVENTS, addresses, harm, reference=reference, way=way)]
    assert max(note[0].back) < BACK


@by_memory
async def test_a_server_frozen_for_longer_than_the_deadline_costs_no_event(
    servers: list[Embedded], reference: Products, way: Way, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.freeze(servers, 1, 5.0)
    note += [await play("SIGSTOP", EVENTS, addresses, harm, reference=reference, way=way, timeout=4.0)]
    assert max(note[0].back) < BACK


@by_messages
async def test_connections_that_are_refused_cost_no_event(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome]
) -> None:
    async with FaultyNetwork(calm[0]) as proxy, FaultyNetwork(calm[1]) as other:
        harm = faults.refuse(proxy, calm[0], 2, 0.5)
        addresses = [proxy.address, other.address]
        note += [await play("refuse", EVENTS, addresses, harm, reference=reference, way=way, rounds=2)]
    assert max(note[0].back) < BACK


@pytest.mark.parametrize("way", ["grpc", "http2"], indirect=True)
async def test_connections_that_are_cut_cost_no_event(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome]
) -> None:
    async with FaultyNetwork(calm[0]) as proxy, FaultyNetwork(calm[1]) as other:
        harm = faults.cut(proxy, calm[0], 5)
        addresses = [proxy.address, other.address]
        note += [await play("cut", EVENTS, addresses, harm, reference=reference, way=way, rounds=5)]
    assert max(note[0].back) < BACK


@by_messages
async def test_a_network_that_is_late_costs_no_event_and_no_try(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome]
) -> None:
    async with FaultyNetwork(calm[0]) as proxy:
        harm = faults.delay(proxy, 0.05)
        addresses = [proxy.address, calm[1]]
        note += [await play("delay", EVENTS, addresses, harm, reference=reference, way=way)]
    assert note[0].tries == note[0].needed


@by_messages
async def test_a_network_that_is_slow_costs_no_event_and_no_try(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome]
) -> None:
    async with FaultyNetwork(calm[0]) as proxy:
        harm = faults.throttle(proxy, 1_000_000)
        addresses = [proxy.address, calm[1]]
        note += [await play("throttle", EVENTS, addresses, harm, reference=reference, way=way)]
    assert note[0].tries == note[0].needed


@by_messages
async def test_a_server_that_comes_after_the_jobs_start_is_used_too(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome]
) -> None:
    async with FaultyNetwork(calm[0]) as proxy:
        await proxy.refuse()
        harm = faults.late(proxy, calm[0])
        note += [await play("late", EVENTS, [proxy.address, calm[1]], harm, reference=reference, way=way)]
    assert max(note[0].back) < BACK


@by_memory
async def test_where_there_is_no_room_for_shared_memory_tensors_go_with_the_messages(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PAUSE", 0.0)  # it may all be over within a second
    note += [await play("/dev/shm full", EVENTS, calm, faults.no_memory, reference=reference, way=way)]
    memory = note[0].report["shared_memory"]
    assert memory["instead"]["/dev/shm is full"]
    assert 0 < memory["requests"] < EVENTS


@lies
async def test_answers_that_make_no_sense_are_asked_for_elsewhere(
    calm: tuple[str, str], reference: Products, way: Way, note: list[Outcome], lie: str
) -> None:
    async with FaultyServer(calm[0], [Fault(kind=lie)]) as liar:
        addresses = [liar.address, calm[1]]
        name = f"a liar: {lie.replace('_', ' ')}"
        note += [await play(name, 50, addresses, faults.none, reference=reference, way=way)]
        assert liar.struck[lie]


@lies
async def test_answers_that_make_no_sense_are_a_clear_error_where_nobody_else_can_be_asked(
    calm: tuple[str, str], reference: Products, way: Way, lie: str
) -> None:
    async with FaultyServer(calm[0], [Fault(kind=lie)]) as liar:
        with pytest.raises(ModuleError) as raised:
            await play("", 20, [liar.address], faults.none, reference=reference, way=way)
    assert isinstance(raised.value.__cause__, AnswerError)
    assert f"{liar.address}, model " in str(raised.value)


def gone(servers: list[Embedded]) -> Faults:
    async def faults(scene: Scene) -> None:
        await scene.next_moment()
        await asyncio.gather(*(each.kill() for each in servers))

    return faults


@by_memory
async def test_servers_that_are_gone_for_good_are_a_clear_error_at_the_deadline(
    servers: list[Embedded], reference: Products, way: Way
) -> None:
    addresses = [each.address for each in servers]
    with pytest.raises(ModuleError) as raised:
        await play("", EVENTS, addresses, gone(servers), reference=reference, way=way, timeout=1.0)
    assert isinstance(raised.value.__cause__, ServerUnavailable)
    for each in addresses:
        assert each in str(raised.value)


@by_messages
async def test_a_frozen_server_that_is_the_only_one_is_a_timeout(
    servers: list[Embedded], reference: Products, way: Way
) -> None:
    async def freeze(scene: Scene) -> None:
        await scene.next_moment()
        servers[0].freeze()

    with pytest.raises(ModuleError) as raised:
        await play("", EVENTS, [servers[0].address], freeze, reference=reference, way=way, timeout=1.0)
    assert isinstance(raised.value.__cause__, ServerTimeout)
