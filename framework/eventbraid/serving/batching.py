"""Dynamic batching: which waiting requests are executed together. Pure, but for the queue that acts on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from eventbraid.kserve import Tensors
from eventbraid.kserve.rows import alike, rows

__all__ = ["Batcher", "Policy", "Waiting", "take"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How a model batches: at most `most` rows at once; the first request waits up to `delay` seconds for others,
    or until a preferred number of rows is there. With `most` 0 every request is executed alone."""

    most: int
    preferred: tuple[int, ...] = ()
    delay: float = 0.0


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits, with its rows and the future of its answer."""

    inputs: Tensors
    rows: int
    answer: asyncio.Future[Tensors]
    since: float = field(default_factory=perf_counter)


def take(waiting: Sequence[Waiting], policy: Policy, waited: float) -> int:
    """How many of the first requests to execute now; 0 to wait for more.

    `waited` is for how long the first has been waiting, in seconds.
    """
    if not waiting:
        return 0
    if policy.most == 0:
        return 1
    total = count = 0
    best = 0
    for request in waiting:
        if count and (total + request.rows > policy.most or not alike(waiting[0].inputs, request.inputs)):
            return best or count  # it cannot grow: no reason to wait
        total += request.rows
        count += 1
        if total in policy.preferred:
            best = count
    if total >= policy.most:
        return count
    if best:
        return best
    return count if waited >= policy.delay else 0


class Batcher:
    """The queue of one model: executes what the policy takes, one batch at a time.

    While a batch is executed the queue grows, so under load batches grow without any delay.
    """

    def __init__(self, policy: Policy, execute: Callable[[list[Waiting]], Awaitable[None]]) -> None:
        self._policy = policy
        self._execute = execute
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()

    async def ask(self, inputs: Tensors) -> Tensors:
        """Queue a request and wait for its answer; cancelled while it waits, it is not executed."""
        request = Waiting(inputs, rows(inputs), asyncio.get_running_loop().create_future())
        self._queue.append(request)
        self._arrived.set()
        return await request.answer

    async def run(self) -> None:
        """Execute batches until cancelled."""
        while True:
            while self._queue and self._queue[0].answer.done():
                self._queue.popleft()
            alive = [request for request in self._queue if not request.answer.done()]
            waited = perf_counter() - alive[0].since if alive else 0.0
            count = take(alive, self._policy, waited)
            if count:
                batch = alive[:count]
                self._queue = deque(alive[count:])
                await self._execute(batch)
                continue
            self._arrived.clear()
            try:
                async with asyncio.timeout(self._policy.delay - waited if alive else None):
                    await self._arrived.wait()
            except TimeoutError:
                continue
