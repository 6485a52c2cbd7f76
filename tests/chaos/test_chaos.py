"""The chaos, on two real Tritons: 2,000 events, none lost or doubled, and every product right. `make chaos`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import faults
import pytest
import uvloop
from real_triton import require_triton
from scene import Faults, Outcome, Way, play
from work import Products

from eventbraid.serving import TritonServer
from eventbraid.testing import Fault, FaultyNetwork, FaultyServer
from eventbraid.testing.lies import LIES

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.triton]

EVENTS = 2000
BACK = 1.0
"""Seconds after which a server that is ready must be in use."""
DEADLINE, SILENT = 4.0, 6.0
"""Seconds: of a request, and for which a server is silent in spite of it."""


class Stage:
    """Two servers, and the way to them."""

    def __init__(self, servers: list[TritonServer], way: Way, reference: Products) -> None:
        self.servers, self.way, self.reference = servers, way, reference
        self.first, self.second = (each.address for each in servers)

    async def play(
        self, name: str, harm: Faults, *, first: str = "", second: str = "", rounds: int = 4, **options: Any
    ) -> Outcome:
        """Run the job; `first` and `second` are who is asked in place of the servers."""
        asked = [first or self.first, second or self.second]
        return await play(name, EVENTS, asked, harm, reference=self.reference, way=self.way, rounds=rounds, **options)


async def nothing(stage: Stage) -> Outcome:
    return await stage.play("nothing", faults.none)


async def killed(stage: Stage) -> Outcome:
    return await stage.play("kill -9", faults.kill(stage.servers, 10), rounds=10)


async def both_killed(stage: Stage) -> Outcome:
    return await stage.play("kill -9 of both", faults.both_gone(stage.servers))


async def drained(stage: Stage) -> Outcome:
    return await stage.play("SIGTERM and drain", faults.drain(stage.servers, 4), rounds=4)


async def frozen(stage: Stage) -> Outcome:
    return await stage.play("SIGSTOP", faults.freeze(stage.servers, 2, SILENT), rounds=2, timeout=DEADLINE)


async def refused(stage: Stage) -> Outcome:
    async with FaultyNetwork(stage.first) as proxy, FaultyNetwork(stage.second) as other:
        harm = faults.refuse(proxy, stage.first, 3, 2.0)
        return await stage.play("refuse", harm, first=proxy.address, second=other.address, rounds=3)


async def late(stage: Stage) -> Outcome:
    async with FaultyNetwork(stage.first) as proxy, FaultyNetwork(stage.second) as other:
        await proxy.refuse()
        harm = faults.late(proxy, stage.first)
        return await stage.play("refuse at the start", harm, first=proxy.address, second=other.address)


async def held(stage: Stage) -> Outcome:
    async with FaultyNetwork(stage.first) as proxy, FaultyNetwork(stage.second) as other:
        harm = faults.hold(proxy, stage.first, 2, SILENT)
        asked = {"first": proxy.address, "second": other.address}
        return await stage.play("hold all bytes", harm, **asked, rounds=2, timeout=DEADLINE)


async def cut(stage: Stage) -> Outcome:
    async with FaultyNetwork(stage.first) as proxy, FaultyNetwork(stage.second) as other:
        harm = faults.cut(proxy, stage.first, 20)
        return await stage.play("cut", harm, first=proxy.address, second=other.address, rounds=20)


async def delayed(stage: Stage) -> Outcome:
    async with FaultyNetwork(stage.first) as proxy:
        return await stage.play("delay to 0.2 s", faults.delay(proxy, 0.2), first=proxy.address)


async def throttled(stage: Stage) -> Outcome:
    async with FaultyNetwork(stage.first) as proxy:
        return await stage.play("throttle to 1 MB/s", faults.throttle(proxy, 1_000_000), first=proxy.address)


async def no_memory(stage: Stage) -> Outcome:
    return await stage.play("/dev/shm full", faults.no_memory)


def lied_to(lie: str) -> Callable[[Stage], Awaitable[Outcome]]:
    async def scene(stage: Stage) -> Outcome:
        async with FaultyServer(stage.first, [Fault(kind=lie)]) as liar:
            outcome = await stage.play(f"a liar: {lie.replace('_', ' ')}", faults.none, first=liar.address)
            assert liar.struck[lie]
            return outcome

    scene.__name__ = lie
    return scene


HARMLESS = (nothing, delayed, throttled, no_memory)
"""Scenes in which no try may fail."""
SCENES = (*HARMLESS, killed, both_killed, drained, frozen, refused, late, held, cut, *map(lied_to, LIES))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The loop of all scenes, of the kind that jobs have."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="module")
def servers(repository: Path, runner: asyncio.Runner) -> Iterator[list[TritonServer]]:
    """Two of them, which every scene leaves as it found them."""
    require_triton()
    servers = [TritonServer([repository]) for _ in range(2)]
    try:
        for server in servers:
            runner.run(server.start())
        yield servers
    finally:
        for server in servers:
            runner.run(server.stop())


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_no_event_is_lost_or_doubled_and_every_product_is_right(
    servers: list[TritonServer],
    way: Way,
    reference: Products,
    runner: asyncio.Runner,
    scene: Callable[[Stage], Any],
    note: list[Outcome],
) -> None:
    outcome = runner.run(scene(Stage(servers, way, reference)))
    note.append(outcome)
    assert all(seconds < BACK for seconds in outcome.back), outcome.back
    if scene in HARMLESS:
        assert outcome.tries == outcome.needed
