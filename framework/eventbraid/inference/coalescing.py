"""Requests of several events sent as one: those that wait for room on a server, or for a short time.

It pays where a request costs more than its rows: small inputs, a server far away or without dynamic batching.
It is for models that treat every row on its own.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from eventbraid.errors import AnswerError, RequestError, ServerError, ServerTimeout
from eventbraid.inference.gathering import end
from eventbraid.kserve import Tensors
from eventbraid.kserve.rows import alike, join, rows, split

__all__ = ["Coalesce", "Coalescer", "Waiting", "how_many"]

Send = Callable[[Tensors, float], Awaitable[Tensors]]
"""Sends one request with a deadline on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Coalesce:
    """Join requests up to `max_rows` rows; the first of them waits at most `max_delay` seconds for others.

    Without a delay only those are joined that wait for room on a server anyway.
    """

    max_rows: int
    max_delay: float = 0.0

    def __post_init__(self) -> None:
        if self.max_rows < 2:
            raise ValueError(f"max_rows must be at least 2, not {self.max_rows}")
        if self.max_delay < 0:
            raise ValueError(f"max_delay must be a number of seconds from 0 on, not {self.max_delay}")


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits to be joined."""

    inputs: Tensors
    rows: int
    since: float
    deadline: float
    answer: asyncio.Future[Tensors]


def how_many(waiting: Sequence[Waiting], how: Coalesce, now: float, *, room: bool) -> int:
    """How many of the first requests to send as one now; 0 to wait. Pure."""
    if not waiting or not room:
        return 0
    count = total = 0
    for each in waiting:
        if count and (total + each.rows > how.max_rows or not alike(waiting[0].inputs, each.inputs)):
            return count
        count += 1
        total += each.rows
    return count if total >= how.max_rows or now - waiting[0].since >= how.max_delay else 0


class Coalescer:
    """Joins the requests of one model with the same options, on one event loop.

    `room` says whether a request would be sent at once; `notify` is to be called when that may have changed.
    """

    def __init__(self, how: Coalesce, send: Send, room: Callable[[], bool]) -> None:
        self._how = how
        self._send = send
        self._room = room
        self._waiting: deque[Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._starting = False
        self._sending: dict[asyncio.Task[None], list[Waiting]] = {}
        self.asked = 0
        """Requests that came."""
        self.sent = 0
        """Requests that were sent for them."""

    def __repr__(self) -> str:
        return f"Coalescer({self._how}, {len(self._waiting)} waiting)"

    async def ask(self, inputs: Tensors, deadline: float) -> Tensors:
        """The answer to one request, read-only; raises what sending raises, `ServerTimeout` after its own deadline."""
        self.asked += 1
        now = monotonic()
        each = Waiting(inputs, rows(inputs), now, deadline, asyncio.get_running_loop().create_future())
        self._waiting.append(each)
        self.notify()
        try:
            async with asyncio.timeout(max(deadline - now, 0)):
                return await each.answer
        except TimeoutError:
            raise ServerTimeout("no answer before the deadline") from None
        finally:
            self._leave(each)

    def notify(self) -> None:
        """Send what may be sent: one request in a turn of the loop, for it takes its room only when it begins."""
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()
        if self._starting or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if count := how_many(self._waiting, self._how, monotonic(), room=self._room()):
            batch = [self._waiting.popleft() for _ in range(count)]
            task = loop.create_task(self._send_all(batch))
            self._sending[task] = batch
            task.add_done_callback(self._sending.pop)
            self._starting = True
            loop.call_soon(self._started)
        elif self._timer is None and self._how.max_delay:
            left = self._how.max_delay - (monotonic() - self._waiting[0].since)
            self._timer = loop.call_later(max(left, 0), self._wait_is_over)

    def _started(self) -> None:
        self._starting = False
        self.notify()

    async def aclose(self) -> None:
        """Cancel what is on its way."""
        if self._timer is not None:
            self._timer.cancel()
        await end(list(self._sending))

    def _wait_is_over(self) -> None:
        self._timer = None
        self.notify()

    def _leave(self, gone: Waiting) -> None:
        """A request is over, perhaps before it was answered: a call that nobody waits for any more is cancelled."""
        gone.answer.cancel()
        for task, batch in list(self._sending.items()):
            if all(each.answer.done() for each in batch) and any(each is gone for each in batch):
                task.cancel()

    async def _send_all(self, batch: list[Waiting]) -> None:
        alive = [each for each in batch if not each.answer.done()]
        if not alive:
            return
        try:
            await self._send_as_one(alive)
        except RequestError as error:
            if len(alive) == 1:
                _fail(alive, error)
            else:  # one of them is at fault, and the others shall not pay for it
                for each in alive:
                    await self._send_all([each])
        except ServerError as error:
            _fail(alive, error)

    async def _send_as_one(self, alive: Sequence[Waiting]) -> None:
        self.sent += 1
        answer = await self._send(join([each.inputs for each in alive]), max(each.deadline for each in alive))
        try:
            parts = split(answer, [each.rows for each in alive])
        except ValueError as error:
            raise AnswerError(f"{error}, and its requests cannot be joined") from None
        for each, part in zip(alive, parts, strict=True):
            if not each.answer.done():
                each.answer.set_result(part)


def _fail(waiting: Sequence[Waiting], error: ServerError) -> None:
    for each in waiting:
        if not each.answer.done():
            each.answer.set_exception(copy.copy(error))  # a traceback of its own for each
