"""What is done to the servers of a job while it runs. Each is called with a scene, and ends before its job does."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from unittest.mock import patch

from scene import Faults, Scene
from tally import ANY
from victims import Victim

from eventbraid.testing import FaultyNetwork


def kill(servers: Sequence[Victim], times: int) -> Faults:
    """SIGKILL of one after the other, drawn at random, and a new start."""

    async def faults(scene: Scene) -> None:
        for _ in range(times):
            await scene.next_moment()
            victim = scene.random.choice(servers)
            await victim.kill()
            since = asyncio.get_running_loop().time()
            await victim.start()
            await scene.is_back(victim.address, since)

    return faults


def drain(servers: Sequence[Victim], times: int) -> Faults:
    """SIGTERM of one after the other, which lets it finish what it has, and a new start."""

    async def faults(scene: Scene) -> None:
        for number in range(times):
            await scene.next_moment()
            victim = servers[number % len(servers)]
            await victim.terminate()
            since = asyncio.get_running_loop().time()
            await victim.start()
            await scene.is_back(victim.address, since)

    return faults


def freeze(servers: Sequence[Victim], times: int, seconds: float) -> Faults:
    """SIGSTOP of one after the other for some seconds."""

    async def faults(scene: Scene) -> None:
        for number in range(times):
            await scene.next_moment()
            victim = servers[number % len(servers)]
            victim.freeze()
            await asyncio.sleep(seconds)
            since = asyncio.get_running_loop().time()
            victim.thaw()
            await scene.is_back(victim.address, since)

    return faults


def both_gone(servers: Sequence[Victim]) -> Faults:
    """SIGKILL of all at once, and a new start of all."""

    async def faults(scene: Scene) -> None:
        await scene.next_moment()
        await asyncio.gather(*(each.kill() for each in servers))
        since = asyncio.get_running_loop().time()
        await asyncio.gather(*(each.start() for each in servers))
        await asyncio.gather(*(scene.is_back(each.address, since) for each in servers))

    return faults


def refuse(proxy: FaultyNetwork, server: str, times: int, seconds: float) -> Faults:
    """Cut the connections and refuse new ones for some seconds."""

    async def faults(scene: Scene) -> None:
        for _ in range(times):
            await scene.next_moment()
            await proxy.refuse()
            await asyncio.sleep(seconds)
            since = asyncio.get_running_loop().time()
            await proxy.accept()
            await scene.is_back(proxy.address, since, probe=server)

    return faults


def hold(proxy: FaultyNetwork, server: str, times: int, seconds: float) -> Faults:
    """Let no byte through for some seconds: a network that is parted and heals."""

    async def faults(scene: Scene) -> None:
        for _ in range(times):
            await scene.next_moment()
            proxy.hold()
            await asyncio.sleep(seconds)
            since = asyncio.get_running_loop().time()
            proxy.release()
            await scene.is_back(proxy.address, since, probe=server)

    return faults


def cut(proxy: FaultyNetwork, server: str, times: int) -> Faults:
    """Reset all connections, wherever they are in their bytes.

    The server was never away: an answer for any model shows that it is in use, and the choice decides which one comes.
    """

    async def faults(scene: Scene) -> None:
        for _ in range(times):
            await scene.next_moment()
            since = asyncio.get_running_loop().time()
            await proxy.cut()
            await scene.is_back(proxy.address, since, probe=server, models=[ANY])

    return faults


def delay(proxy: FaultyNetwork, longest: float) -> Faults:
    """Let every chunk of bytes come late, from one event to the last."""

    async def faults(scene: Scene) -> None:
        await scene.next_moment()
        proxy.delay = (0.0, longest)

    return faults


def throttle(proxy: FaultyNetwork, rate: int) -> Faults:
    """Let so many bytes a second through, from one event to the last."""

    async def faults(scene: Scene) -> None:
        await scene.next_moment()
        proxy.rate = rate

    return faults


async def no_memory(scene: Scene) -> None:
    """No room for shared memory in the first round."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with patch("os.posix_fallocate", side_effect=full):
        await scene.next_moment()


def late(proxy: FaultyNetwork, server: str) -> Faults:
    """Refuse all connections until the job is at work."""

    async def faults(scene: Scene) -> None:
        await scene.next_moment()
        since = asyncio.get_running_loop().time()
        await proxy.accept()
        await scene.is_back(proxy.address, since, probe=server)

    return faults


async def none(scene: Scene) -> None:
    """Leave them alone."""
