"""Dynamic batching: which waiting requests are executed together. Pure, but for the queue that acts on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from eventbraid.errors import RequestError
from eventbraid.kserve import ModelMetadata, Tensors

__all__ = ["Batcher", "Policy", "Waiting", "check_batch", "join", "rows", "split", "take"]


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


def rows(inputs: Tensors) -> int:
    """The rows of a request: the first dimension of its tensors; 1 for single numbers."""
    return min((array.shape[0] if array.shape else 1 for array in inputs.values()), default=0)


def check_batch(model: ModelMetadata, inputs: Tensors, most: int, server: str = "") -> None:
    """Raise `RequestError` where the inputs' batches differ or are more than the model takes; 0: it has no batch."""
    if most == 0:
        return
    sizes = {name: array.shape[0] for name, array in inputs.items()}
    if len(set(sizes.values())) > 1:
        raise RequestError(f"the inputs have different batch sizes: {sizes}", server=server, model=model.name)
    if rows(inputs) > most:
        what = f"batch size {rows(inputs)} is more than the model's {most}"
        raise RequestError(what, server=server, model=model.name)


def alike(one: Tensors, other: Tensors) -> bool:
    """True when two requests can be one: the same inputs with the same shapes behind the batch."""
    return one.keys() == other.keys() and all(one[name].shape[1:] == other[name].shape[1:] for name in one)


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


def join(requests: Sequence[Tensors]) -> Tensors:
    """One request of several, row after row."""
    if len(requests) == 1:
        return requests[0]
    return {name: np.concatenate([request[name] for request in requests]) for name in requests[0]}


def split(outputs: Tensors, sizes: Sequence[int]) -> list[Tensors]:
    """The answers of several requests out of one; raises ValueError where an output has not a row for each row.

    That is asked of a single request too, so that a wrong configuration does not depend on the load to be seen.
    """
    for name, array in outputs.items():
        if array.shape[:1] != (sum(sizes),):
            what = f"output {name!r} has shape {list(array.shape)} for a batch of {sum(sizes)}"
            raise ValueError(f"{what}: a model that mixes its rows needs max_batch_size 0")
    if len(sizes) == 1:
        return [outputs]
    cuts = np.cumsum(sizes)[:-1]
    parts = {name: np.split(array, cuts) for name, array in outputs.items()}
    return [{name: parts[name][n] for name in outputs} for n in range(len(sizes))]


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
