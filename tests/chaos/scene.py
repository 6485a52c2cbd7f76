"""A job that runs while its servers are disturbed, and what came of it."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc
from pace import Pace
from tally import Tally
from tritonclient.grpc import service_pb2
from work import MODELS, REQUESTS, Products, make_job, products_of

from eventbraid.inference import TritonClient
from eventbraid.inference.pool.endpoint import Connect
from eventbraid.inference.servers.given import Server

SEED = int(os.environ.get("CHAOS_SEED", "1"))
"""Of the moments at which something happens."""
LONGEST = 300.0
"""Seconds after which a scene is over, whatever is the matter."""


@dataclass(frozen=True)
class Way:
    """How the client reaches its servers: its transport, and whether large tensors go through shared memory."""

    connect: Connect
    memory: bool = False


@dataclass
class Outcome:
    """A scene that has been played, as a line of the table."""

    name: str
    events: int
    tries: int
    failed: Counter[str]
    """Tries that failed, by the client's own report."""
    back: list[float]
    """Seconds from a server's being ready until it is used for every model, for each time that it came back."""
    seconds: float
    report: dict[str, Any]
    """The client's own."""

    @property
    def needed(self) -> int:
        """The requests of an undisturbed run."""
        return REQUESTS * self.events


@dataclass
class Scene:
    """What a fault can see and do: wait for events, draw numbers, and see a server come back into use."""

    pace: Pace
    tally: Tally
    seed: int
    back: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    async def next_moment(self) -> None:
        """Wait for a random event of the next round."""
        first = self.pace.next_round()
        await self.pace.reached(first + self.random.randrange(1, max(self.pace.size // 4, 2)))

    async def is_back(self, address: str, since: float, probe: str = "", models: Sequence[str] = MODELS) -> None:
        """Wait until a server that says itself that it is ready has answered for all models, and note how long it took.

        Only requests sent after `since` count, for those before may have waited for it. `probe` is where to ask the
        server, if it is not where the client asks it.
        """
        answer = asyncio.ensure_future(self.tally.next_answers(address, models, since))
        try:
            was_ready = await ready(probe or address)
            self.pace.hurry()
            self.back.append(max(await answer - was_ready, 0.0))
        finally:
            answer.cancel()


Faults = Callable[[Scene], Awaitable[None]]


async def play(
    name: str,
    events: int,
    servers: Sequence[str],
    faults: Faults,
    *,
    reference: Products,
    way: Way,
    rounds: int = 1,
    seed: int = SEED,
    **options: Any,
) -> Outcome:
    """Run the job while `faults` is at work, hold its products against those of an undisturbed run.

    The events come in `rounds` parts after a first one without faults. Raises what the job raises.
    """
    pace, tally = Pace(events, rounds + 1), Tally(way.connect)
    scene = Scene(pace, tally, seed)
    named = [Server(address, shared_memory=way.memory) for address in servers]
    job, output = make_job(events, servers=named, turn=pace.turn, **options)
    loop = asyncio.get_running_loop()
    start = loop.time()

    def client(*given: Any, **more: Any) -> TritonClient:
        return TritonClient(*given, **{**more, "connect": tally.connect})

    async def disturb() -> None:
        try:
            await faults(scene)
        finally:
            pace.release()

    async with asyncio.timeout(LONGEST):
        with patch("eventbraid.inference.connect.TritonClient", client):
            disturbing = asyncio.create_task(disturb())
            try:
                report = await job.run_async()
                assert disturbing.done() or pace.given < events, (
                    f"the events ended before the faults did: is a server not used? {report.inference}"
                )
            finally:
                disturbing.cancel()
                await asyncio.wait([disturbing])
            if not disturbing.cancelled():
                disturbing.result()
    assert report.events.read == report.events.passed == events
    asked = report.inference["models"]
    failed = sum((Counter(each["failures"]) for each in asked), Counter[str]())
    assert sum(each["requests"] for each in asked) == REQUESTS * events
    assert not left_behind(), "the job left shared memory behind"
    found = products_of(output)
    assert [number for number, *_ in found] == list(range(1, events + 1))
    assert found == reference[:events]
    return Outcome(name, events, tally.tries, failed, scene.back, loop.time() - start, dict(report.inference))


def left_behind() -> list[Path]:
    """The shared memory of this process."""
    return list(Path("/dev/shm").glob(f"eventbraid-{os.getpid()}-*"))


async def undisturbed(events: int, models: Path) -> Products:
    """The products of a run on a server that nobody harms."""
    job, output = make_job(events, models=[models])
    await job.run_async()
    return products_of(output)


async def ready(address: str) -> float:
    """The time of the loop at which a server that serves, or is about to, says on a new connection that it is ready."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=own) as channel:
        ask = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        answer = service_pb2.ServerReadyResponse.FromString(await ask(b"", wait_for_ready=True))
    assert answer.ready
    return asyncio.get_running_loop().time()
