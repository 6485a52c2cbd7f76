"""The short form of the chaos, on two embedded servers: no event is lost or doubled, and every product is right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import faults
import pytest
from liar import LIES, Liar, Lie
from pace import Pace
from proxy import Proxy
from scene import Faults, Outcome, Scene, play
from victims import Embedded
from work import Products

from eventbraid import ModuleError
from eventbraid.errors import AnswerError, ServerTimeout, ServerUnavailable
from eventbraid.inference.endpoint import Connect
from eventbraid.inference.http2 import Http2Transport

EVENTS = 200
BACK = 1.0
"""Seconds after which a server that is ready must be in use."""


@pytest.fixture
async def servers(repository: Path) -> AsyncIterator[list[Embedded]]:
    """Two of them."""
    async with Embedded(repository) as one, Embedded(repository) as other:
        yield [one, other]


async def test_servers_that_are_killed_cost_no_event_and_are_soon_in_use_again(
    servers: list[Embedded], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.kill(servers, 2)
    note += [await play("kill -9", EVENTS, addresses, harm, reference=reference, connect=connect, rounds=2)]
    assert max(note[0].back) < BACK


async def test_a_server_that_drains_fails_no_event_and_is_soon_in_use_again(
    servers: list[Embedded], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.drain(servers, 1)
    note += [await play("SIGTERM and drain", EVENTS, addresses, harm, reference=reference, connect=connect)]
    assert max(note[0].back) < BACK


async def test_two_servers_killed_at_once_are_waited_for(
    servers: list[Embedded], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.both_gone(servers)
    note += [await play("kill -9 of both", EVENTS, addresses, harm, reference=reference, connect=connect)]
    assert max(note[0].back) < BACK


async def test_a_server_frozen_for_longer_than_the_deadline_costs_no_event(
    servers: list[Embedded], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    addresses = [each.address for each in servers]
    harm = faults.freeze(servers, 1, 5.0)
    note += [await play("SIGSTOP", EVENTS, addresses, harm, reference=reference, connect=connect, timeout=4.0)]
    assert max(note[0].back) < BACK


async def test_connections_that_are_refused_cost_no_event(
    calm: tuple[str, str], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    async with Proxy(calm[0]) as proxy:
        harm = faults.refuse(proxy, calm[0], 2, 0.5)
        addresses = [proxy.address, calm[1]]
        note += [await play("refuse", EVENTS, addresses, harm, reference=reference, connect=connect, rounds=2)]
    assert max(note[0].back) < BACK


async def test_connections_that_are_cut_cost_no_event(
    calm: tuple[str, str], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    async with Proxy(calm[0]) as proxy:
        harm = faults.cut(proxy, calm[0], 5)
        addresses = [proxy.address, calm[1]]
        note += [await play("cut", EVENTS, addresses, harm, reference=reference, connect=connect, rounds=5)]
    assert max(note[0].back) < BACK


async def test_a_network_that_is_late_costs_no_event_and_no_try(
    calm: tuple[str, str], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    async with Proxy(calm[0]) as proxy:
        harm = faults.delay(proxy, 0.05)
        addresses = [proxy.address, calm[1]]
        note += [await play("delay", EVENTS, addresses, harm, reference=reference, connect=connect)]
    assert note[0].tries == note[0].needed


async def test_a_network_that_is_slow_costs_no_event_and_no_try(
    calm: tuple[str, str], reference: Products, connect: Connect, note: list[Outcome]
) -> None:
    async with Proxy(calm[0]) as proxy:
        harm = faults.throttle(proxy, 1_000_000)
        addresses = [proxy.address, calm[1]]
        note += [await play("throttle", EVENTS, addresses, harm, reference=reference, connect=connect)]
    assert note[0].tries == note[0].needed


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_answers_that_make_no_sense_are_asked_for_elsewhere(
    calm: tuple[str, str], reference: Products, note: list[Outcome], lie: Lie
) -> None:
    async with Liar(calm[0], lie) as liar:
        addresses = [liar.address, calm[1]]
        name = f"a liar: {lie.__name__.replace('_', ' ')}"
        note += [await play(name, EVENTS, addresses, faults.none, reference=reference, connect=Http2Transport)]
        assert liar.told


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_answers_that_make_no_sense_are_a_clear_error_where_nobody_else_can_be_asked(
    calm: tuple[str, str], reference: Products, lie: Lie
) -> None:
    async with Liar(calm[0], lie) as liar:
        with pytest.raises(ModuleError) as raised:
            await play("", 20, [liar.address], faults.none, reference=reference, connect=Http2Transport)
    assert isinstance(raised.value.__cause__, AnswerError)
    assert f"{liar.address}, model " in str(raised.value)


def gone(servers: list[Embedded]) -> Faults:
    async def faults(scene: Scene) -> None:
        await scene.next_moment()
        await asyncio.gather(*(each.kill() for each in servers))

    return faults


async def test_servers_that_are_gone_for_good_are_a_clear_error_at_the_deadline(
    servers: list[Embedded], reference: Products, connect: Connect
) -> None:
    addresses = [each.address for each in servers]
    with pytest.raises(ModuleError) as raised:
        await play("", EVENTS, addresses, gone(servers), reference=reference, connect=connect, timeout=1.0)
    assert isinstance(raised.value.__cause__, ServerUnavailable)
    for each in addresses:
        assert each in str(raised.value)


async def test_a_frozen_server_that_is_the_only_one_is_a_timeout(
    servers: list[Embedded], reference: Products, connect: Connect
) -> None:
    async def freeze(scene: Scene) -> None:
        await scene.next_moment()
        servers[0].freeze()

    with pytest.raises(ModuleError) as raised:
        await play("", EVENTS, [servers[0].address], freeze, reference=reference, connect=connect, timeout=1.0)
    assert isinstance(raised.value.__cause__, ServerTimeout)


async def test_an_event_is_waited_for_and_the_next_round_comes_after_it() -> None:
    pace = Pace(10, 2)
    pace.release()
    reached = asyncio.create_task(pace.reached(3))
    for _ in range(3):
        assert not reached.done()
        await pace.turn()
    await reached
    assert pace.next_round() == 5
