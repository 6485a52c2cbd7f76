"""How a module's steps are called where that is more than awaiting them: in a thread, within a timeout."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from time import thread_time
from typing import Any, Final, TypeAlias

from eventbraid.whereabouts import waiting_for

__all__ = ["Call", "Threads", "TimedOut", "offloaded", "threaded", "within"]

Call: TypeAlias = Callable[..., Any]

OFFLOAD_THREADS: Final = 8


class TimedOut(Exception):
    """A step did not end within its module's timeout, or its event not before its deadline."""


class Threads:
    """The threads of a job: a bounded pool for offloaded steps, and one for blocking external work.

    A thread of the second keeps an event loop of its own, so that clients may keep their connections.
    """

    def __init__(self, offload: int = OFFLOAD_THREADS, blocking: int = 1) -> None:
        self._sizes = (offload, blocking)
        self._offload: ThreadPoolExecutor | None = None
        self._blocking: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._loops: list[asyncio.AbstractEventLoop] = []

    @property
    def offload(self) -> ThreadPoolExecutor:
        """The pool of offloaded steps, made when it is first needed."""
        if self._offload is None:
            self._offload = ThreadPoolExecutor(self._sizes[0], thread_name_prefix="offload")
        return self._offload

    @property
    def blocking(self) -> ThreadPoolExecutor:
        """The pool of blocking external work, made when it is first needed."""
        if self._blocking is None:
            self._blocking = ThreadPoolExecutor(self._sizes[1], thread_name_prefix="external")
        return self._blocking

    def wait_for(self, work: Callable[[Any], Awaitable[Any]], acquired: Any, under_way: list[asyncio.Task[Any]]) -> Any:
        """Run external work on this thread's loop until it is over; `under_way` gets its task."""
        loop: asyncio.AbstractEventLoop | None = getattr(self._local, "loop", None)
        if loop is None:
            loop = self._local.loop = asyncio.new_event_loop()
            self._loops.append(loop)
        task = loop.create_task(_awaited(work, acquired))
        under_way.append(task)
        return loop.run_until_complete(task)

    async def aclose(self) -> None:
        """Wait for what still runs, then give up the threads."""
        for pool in (self._offload, self._blocking):
            if pool is not None:
                await asyncio.to_thread(pool.shutdown, wait=True)
        for loop in self._loops:
            loop.close()
        self._loops.clear()


async def _awaited(work: Callable[[Any], Awaitable[Any]], acquired: Any) -> Any:
    return await work(acquired)


def offloaded(call: Call, threads: Threads, node: int, spent: dict[int, float]) -> Call:
    """The same call in a thread, with the caller's context; its CPU time is added to `spent[node]`, in seconds.

    A thread cannot be interrupted: where the step is cancelled, its end is awaited.
    """

    def in_thread(*arguments: Any) -> Any:
        began = thread_time()
        try:
            return call(*arguments)
        except StopIteration as error:  # no future takes one
            raise RuntimeError("the step raised StopIteration") from error
        finally:
            spent[node] = spent.get(node, 0.0) + thread_time() - began

    async def offload(*arguments: Any) -> Any:
        job = threads.offload.submit(copy_context().run, in_thread, *arguments)
        return await _until_over(job, lambda: None)

    return offload


def threaded(work: Callable[[Any], Awaitable[Any]], threads: Threads) -> Callable[[Any], Awaitable[Any]]:
    """The same external work as a blocking call in a thread, which is told where it is cancelled."""

    async def external_work(acquired: Any) -> Any:
        under_way: list[asyncio.Task[Any]] = []

        def cancel() -> None:
            for task in under_way:
                task.get_loop().call_soon_threadsafe(task.cancel)

        job = threads.blocking.submit(copy_context().run, threads.wait_for, work, acquired, under_way)
        with waiting_for(under_way):
            return await _until_over(job, cancel)

    return external_work


async def _until_over(job: Future[Any], cancel: Callable[[], None]) -> Any:
    """What a thread answers; where the caller is cancelled, the thread is told so and its end is awaited."""
    answer = asyncio.wrap_future(job)
    answer.add_done_callback(lambda over: over.cancelled() or over.exception())  # seen, whoever asks for it
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        if not job.cancel():
            cancel()
            loop, over = asyncio.get_running_loop(), asyncio.Event()
            job.add_done_callback(lambda _: loop.call_soon_threadsafe(over.set))
            await over.wait()
        raise


class Allowance:
    """The time that a module still has for the event that its stream carries."""

    __slots__ = ("seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = 0.0


def within(call: Call, seconds: float, what: str, allowance: Allowance | None = None, *, first: bool = True) -> Call:
    """The same call, which raises `TimedOut` after so many seconds, counted from the `first` step of an allowance."""

    async def timed(*arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if allowance is not None:
            if first:
                allowance.until = until
            until = allowance.until
        limit = asyncio.timeout_at(until)
        try:
            async with limit:
                answer = call(*arguments)
                answer = await answer if hasattr(answer, "__await__") else answer
        except Exception as error:
            if limit.expired():  # whatever the step made of its cancellation
                raise TimedOut(f"{what} took more than its {seconds:g} s") from error
            raise
        if limit.expired():
            raise TimedOut(f"{what} took more than its {seconds:g} s")
        return answer

    return timed
