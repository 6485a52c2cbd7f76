"""Requests of several events sent as one: those that wait for room on a server, or for a short time.

It pays where a request costs more than its rows: small inputs, a server far away or without dynamic batching.
It is for models that treat every row on its own.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from eventbraid.errors import AnswerError, RequestError, ServerError, ServerTimeout
from eventbraid.inference.account import Durations
from eventbraid.inference.gathering import end
from eventbraid.kserve import Tensors
from eventbraid.kserve.rows import alike, join, rows, split
from eventbraid.whereabouts import waiting_for

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
    sending: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    """What asks for it, once it is sent."""


def how_many(waiting: Sequence[Waiting], how: Coalesce, now: float) -> int:
    """How many of the first requests to send as one now, where there is room; 0 to wait for others. Pure."""
    if not waiting:
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
        self.waited = Durations()
        """How long each waited here before it was sent."""

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
            with waiting_for(each.sending):
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
        if self._starting or not self._waiting or not self._room():
            return
        loop, now = asyncio.get_running_loop(), monotonic()
        if count := how_many(self._waiting, self._how, now):
            batch = [self._waiting.popleft() for _ in range(count)]
            for each in batch:
                self.waited.add(now - each.since)
            self._start(batch)
            self._starting = True
            loop.call_soon(self._started)
        elif self._timer is None:
            left = self._how.max_delay - (now - self._waiting[0].since)
            self._timer = loop.call_later(max(left, 0), self._wait_is_over)

    async def aclose(self) -> None:
        """Give up what waits and what is on its way."""
        if self._timer is not None:
            self._timer.cancel()
        _fail(self._waiting, _closed())
        self._waiting.clear()
        await end(list(self._sending))

    def _started(self) -> None:
        self._starting = False
        self.notify()

    def _wait_is_over(self) -> None:
        self._timer = None
        self.notify()

    def _start(self, batch: list[Waiting]) -> None:
        task = asyncio.get_running_loop().create_task(self._send_all(batch))
        self._sending[task] = batch
        task.add_done_callback(self._sending.pop)
        for each in batch:
            each.sending[:] = [task]

    def _leave(self, gone: Waiting) -> None:
        """A request is over, perhaps before it was answered: a call that nobody waits for any more is cancelled."""
        gone.answer.cancel()
        for task in gone.sending:
            if all(each.answer.done() for each in self._sending.get(task, ())):
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
                    self._start([each])
        except Exception as error:  # noqa: BLE001  # that of those who ask
            _fail(alive, error)
        except asyncio.CancelledError:
            _fail(alive, _closed())
            raise

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


def _closed() -> ServerError:
    return ServerError("this client is closed")


def _fail(waiting: Iterable[Waiting], error: Exception) -> None:
    for each in waiting:
        if not each.answer.done():
            own = copy.copy(error)  # with a traceback of its own
            own.__cause__ = error.__cause__
            each.answer.set_exception(own)
