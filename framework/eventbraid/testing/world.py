"""Processes in virtual time: each with an event loop and one core, and a clock that jumps, or passes where it computes.

A process does what it would do alone on a core: while a callback computes, which is said by `compute`, its own clock
passes and its loop stands still, while those of others go on. What one process sends to another is a callback that is
to be called there at a time (`Process.call_at`), not before the sender's own. Of all that is to be called in any
process the earliest is next; so nobody hears of what has not happened yet, and the same always happens.
"""

from __future__ import annotations

import asyncio
import random
from asyncio import Future, Handle, Task, TimerHandle
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakValueDictionary

from eventbraid.testing.clocks import patched_clocks

__all__ = ["Process", "World", "compute"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Process(asyncio.AbstractEventLoop):
    """The event loop of one process: timers, tasks and futures, without sockets, signals and threads."""

    def __init__(self, world: World, name: str) -> None:
        self.now = 0.0
        """Its own time, in seconds."""
        self.busy = 0.0
        """Seconds for which it has computed."""
        self._world, self._name = world, name

    def __repr__(self) -> str:
        return f"Process({self._name}, at {self.now:.6f} s)"

    def time(self) -> float:
        return self.now

    def compute(self, seconds: float) -> None:
        """Let its time pass while it computes."""
        self.now += seconds
        self.busy += seconds

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Handle:
        handle = Handle(callback, args, self, context)
        self._world.add(self.now, self, handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        timer = TimerHandle(when, callback, args, self, context)
        self._world.add(when, self, timer)
        return timer

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> Future[Any]:
        return Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> Task[Any]:
        task: Task[Any] = Task(coro, loop=self, name=name, context=context)
        self._world.started(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> Future[T]:  # type: ignore[override]
        """Call it here and now: what other threads would do takes no time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # who awaits it is told
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error that nobody takes ends the world."""
        self._world.break_(context.get("exception") or RuntimeError(context["message"]))


class World:
    """All processes, and their time; with a seed, for what they draw at random from the module `random`."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._calls: list[tuple[float, int, Process, Handle]] = []
        self._number = 0
        self._current: Process | None = None
        self._error: BaseException | None = None
        self._started = 0
        self._tasks: WeakValueDictionary[int, Task[Any]] = WeakValueDictionary()
        """By their number."""

    def process(self, name: str) -> Process:
        """A new one, at time 0."""
        return Process(self, name)  # type: ignore[abstract]  # without sockets, signals, subprocesses

    def add(self, when: float, process: Process, handle: Handle) -> None:
        """Have a callback called in a process at a time."""
        self._number += 1
        heappush(self._calls, (when, self._number, process, handle))

    def started(self, task: Task[Any]) -> None:
        """A process has started a task."""
        self._started += 1
        self._tasks[self._started] = task

    def break_(self, error: BaseException) -> None:
        """End with an error."""
        self._error = self._error or error

    def time(self) -> float:
        """The time of the process that runs."""
        return self._current.now if self._current is not None else 0.0

    def run(self, *works: tuple[Process, Coroutine[Any, Any, T]]) -> list[T]:
        """Run something in each of some processes, until all of it is over; raises the error of any of them at once.

        Raises `RuntimeError` where they wait for what never comes.
        """
        with patched_clocks(self.time), _seeded(self._seed):
            tasks = [process.create_task(work) for process, work in works]
            for each in tasks:
                each.add_done_callback(self._look)
            try:
                while self._error is None and (going := [each for each in tasks if not each.done()]):
                    self._until_over(going)
                if self._error is not None:
                    raise self._error
                return [task.result() for task in tasks]
            finally:
                self._end()
                asyncio._set_running_loop(None)
                self._current = None

    def _look(self, task: Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.break_(error)

    def _until_over(self, going: Sequence[Task[Any]]) -> None:
        """Until the first of these is over."""
        first = going[0]
        while not first.done() and self._error is None:
            if not self._calls:
                raise RuntimeError(f"{len(going)} processes wait for what never comes")
            self._step()

    def _end(self) -> None:
        """Cancel what still goes on, and let it end."""
        left = [task for _, task in sorted(self._tasks.items()) if not task.done()]
        for task in left:
            task.cancel()
        while self._calls and not all(each.done() for each in left):
            self._step()

    def _step(self) -> None:
        when, _, process, handle = heappop(self._calls)
        if handle.cancelled():
            return
        process.now = max(process.now, when)
        self._current = process
        asyncio._set_running_loop(process)
        handle._run()


def compute(seconds: float) -> None:
    """Let the time of this process pass, as a module does that computes for so long; raises `TypeError` elsewhere."""
    process = asyncio.get_running_loop()
    if not isinstance(process, Process):
        raise TypeError(f"only a process of a world computes in virtual time, not {process!r}")
    process.compute(seconds)


@contextmanager
def _seeded(seed: int) -> Generator[None]:
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
