"""Carries a plan out with many events braided on one event loop; the only file that starts tasks.

**Hand-off.** One driver task holds the turn: it walks events through the plan and awaits each module
natively, so a module that does not suspend costs neither a task nor a callback, and `current_task()`,
timeouts and cancellation are exact in it. Whenever the loop gives the driver control, a sentry callback is
queued behind it. If a module suspends, the sentry runs next: it turns the rest of that event into a
`Course` (counters of unmet needs) and starts a fresh driver, which carries on with whatever is ready. The
suspended task stays that module's own; when it resumes it completes the module and, if nobody holds the
turn, drives on.

**External work** is started in a task of its own when acquire returns; its end makes the node ready again.

**Order.** What is ready for the oldest event comes first, within an event what leads to external work
first; then new events, while a stream is free.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from functools import partial
from operator import length_hint
from time import perf_counter
from types import CoroutineType, coroutine
from typing import Any, Final

from eventbraid.bounds import Bounds
from eventbraid.copies import Stream, blame, wrong_answer
from eventbraid.course import Course
from eventbraid.errors import EventbraidError
from eventbraid.event import ABSENT, Event
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.plan import Plan
from eventbraid.services.audience import Audience
from eventbraid.walk import Leg, course_at, drops_by_leg, legs_of

__all__ = ["Scheduler"]

SLICE: Final = 0.0005
"""Seconds after which the driver lets the loop serve completions and timers."""


class Passage:
    """What carries one event at a time: a stream, and the event's course once that is more than a straight walk."""

    __slots__ = ("course", "event", "place", "results", "start", "stream", "walk")

    event: Event

    def __init__(self, stream: Stream, walk: Sequence[Leg]) -> None:
        self.stream = stream
        self.walk = walk
        self.place = 0
        self.start = 0.0
        self.course: Course | None = None
        self.results: dict[int, Any] = {}

    def __repr__(self) -> str:
        return f"Passage(stream {self.stream.number}, {getattr(self, 'event', 'no event yet')})"


class Turn:
    """Held by the driver that may start modules; `lost` is when the sentry took it away, 0 before."""

    __slots__ = ("lost",)

    def __init__(self) -> None:
        self.lost = 0.0


class Scheduler:
    """One job in asynchronous mode: call `run()` once."""

    def __init__(
        self,
        plan: Plan,
        streams: Sequence[Stream],
        intake: Intake,
        ledger: Ledger,
        audience: Audience,
    ) -> None:
        self._plan = plan
        self._intake = intake
        self._ledger = ledger
        self._audience = audience
        drops = drops_by_leg(plan)
        self._free = [Passage(stream, legs_of(plan, stream, drops)) for stream in reversed(streams)]
        self._bounds: Bounds[Passage] = Bounds(plan)
        self._walk_is_all = len(plan.walk) == len(plan.order)
        self._templates: dict[int, Course] = {}
        self._ready: list[tuple[int, int, bool, Passage]] = []
        self._turn: Turn | None = None
        self._walking: Passage | None = None
        self._walker: Iterator[Callable[[Event], Any]] = iter(())
        self._leg_end = 0
        self._step_start = 0.0
        self._watched = bool(audience)
        self._clocked = self._watched
        self._pause_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loading = False
        self._writing = False
        self._writes = ledger.writes
        self._cancelled = False
        self.in_flight = 0

    async def run(self) -> None:
        """Read and finish all events; raises what the framework raised, never a module's error.

        Cancelled, it cancels every module and all external work and awaits them first.
        """
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._wake()
        try:
            await self._over
        finally:
            self._cancelled = True
            for task in self._tasks:
                task.cancel()
            while self._tasks:
                await asyncio.wait(self._tasks)

    def __repr__(self) -> str:
        return f"Scheduler({self._plan.name!r}, {self.in_flight} in flight, {len(self._ready)} ready)"

    # --- tasks, and who holds the turn

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _wake(self) -> None:
        """Start a driver if nobody holds the turn."""
        if self._turn is None and not self._cancelled:
            self._turn = turn = Turn()
            self._start(self._drive(turn)).add_done_callback(self._driver_ended)

    def _driver_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        """The framework itself is at fault: end the job with its error rather than hang."""
        if not self._over.done():
            self._over.set_exception(error)

    def _sentry(self, turn: Turn) -> None:
        """The driver gave the loop control: if it still holds the turn, it waits inside a module."""
        if self._turn is not turn:
            return
        turn.lost = perf_counter()
        self._turn = None
        try:
            if self._walking is not None:
                self._leave_walk(self._walking)
            self._wake()
        except Exception as error:  # noqa: BLE001  # in a callback it would be logged, and the job would hang
            self._break(error)

    def _take_turn(self) -> Turn:
        self._turn = turn = Turn()
        self._pause_at = perf_counter() + SLICE
        self._loop.call_soon(self._sentry, turn)
        return turn

    async def _rest(self) -> Turn:
        """Let the loop serve completions and timers, without giving the turn away."""
        self._turn = Turn()
        await _yield_to_loop()
        return self._take_turn()

    async def _drive(self, turn: Turn) -> None:
        """Carry on with what is ready, then with new events, until nothing can start."""
        turn = self._take_turn()
        while True:
            if self._ready:
                _, rank, granted, passage = heapq.heappop(self._ready)
                await self._step(passage, self._plan.order[rank], granted, turn)
            elif (entered := self._admit()) is not None:
                turn = await self._walk(entered, turn)
            else:
                break
            if self._turn is not turn:  # a module waited, and the turn was taken
                if self._turn is not None:
                    return
                turn = self._take_turn()
            elif (now := perf_counter()) > self._pause_at:
                self._clocked = self._watched or now - self._pause_at > SLICE
                turn = await self._rest()
        self._turn = None
        if self.in_flight == 0 and self._intake.ended and not (self._loading or self._writing or self._over.done()):
            self._over.set_result(None)

    # --- events

    def _admit(self) -> Passage | None:
        """Take in a new event, if a stream is free and the source has one."""
        intake = self._intake
        if not self._free or intake.ended or self._loading or (self._writes and self._ledger.full):
            return None
        try:
            entry = intake.poll()
        except EventbraidError as error:
            self._ledger.stopped_by(error)
            return None
        if entry is None:
            if not intake.ended:
                self._loading = True
                self._start(self._load())
            return None
        event = Event(self._plan, entry, intake.read - 1)
        self.in_flight += 1
        if self._watched:
            self._audience.event_begins(event.id, event.number, perf_counter())
        passage = self._free.pop()
        passage.event = event
        passage.course = None
        return passage

    async def _load(self) -> None:
        try:
            await self._intake.load()
        except EventbraidError as error:
            self._ledger.stopped_by(error)
        finally:
            self._loading = False
        self._wake()

    def _end(self, passage: Passage, course: Course | None) -> None:
        """The event is over: its stream is free."""
        event = passage.event
        passed, failed = self._ledger.event_ends(event, course)
        if failed and self._plan.on_error == "stop":
            self._intake.stop()
        self.in_flight -= 1
        self._free.append(passage)
        if self._watched:
            self._audience.event_ends(event.id, event.number, perf_counter(), failed, passed)
        if self._writes and self._ledger.writing_due and not self._writing:
            self._writing = True
            self._start(self._write())

    async def _write(self) -> None:
        try:
            await self._ledger.write()
        finally:
            self._writing = False
        if self._ledger.fatal is not None:
            self._intake.stop()
        self._wake()

    # --- the straight walk

    async def _walk(self, passage: Passage, turn: Turn) -> Turn:
        """Take an event through the head of the plan; the turn that the driver then holds, or has lost."""
        event, clocked = passage.event, self._clocked
        products = event._products
        answer: Any = None
        error: BaseException | None = None
        done = False
        self._step_start = perf_counter() if clocked else 0.0
        self._walking = passage
        try:
            for end, awaited, calls, drops in passage.walk:
                self._leg_end = end
                self._walker = walker = iter(calls)
                if awaited:
                    for call in walker:
                        answer = await call(event)
                        if turn.lost or answer is not None:
                            break
                        if clocked:
                            turn = await self._clock(turn, passage)
                    else:
                        for slot in drops:
                            products[slot] = ABSENT
                        continue
                    break
                for call in walker:
                    answer = call(event)
                    if answer is not None:
                        answer = await answer
                        if turn.lost or answer is not None:
                            break
                    if clocked:
                        turn = await self._clock(turn, passage)
                else:
                    for slot in drops:
                        products[slot] = ABSENT
                    continue
                break
            else:
                done = True
        except asyncio.CancelledError as cancelled:
            if self._cancelled:
                raise
            error = _recovered(cancelled)
        except Exception as raised:  # noqa: BLE001  # a module's error is reported, never lost
            error = raised if answer is None or hasattr(answer, "__await__") else None
        if done:
            self._walking = None
            if self._walk_is_all:
                self._end(passage, None)
            else:
                self._branch(passage, None)
            return turn
        if not turn.lost:
            self._leave_walk(passage)
        self._conclude(passage, self._plan.walk[passage.place], passage.start, turn, answer, error)
        return turn

    def _leave_walk(self, passage: Passage) -> None:
        """The module where the event is on the walk waits, or has failed: go on by its course."""
        self._walking = None
        passage.place, passage.start = self._place(), self._step_start
        self._branch(passage, passage.place)

    def _place(self) -> int:
        """Where on the walk the event is."""
        return self._leg_end - length_hint(self._walker) - 1

    async def _clock(self, turn: Turn, passage: Passage) -> Turn:
        """A step of the walk has ended: tell it, and rest if the slice is over."""
        stop = perf_counter()
        if self._watched:
            self._tell(passage, self._plan.walk[self._place()], None, self._step_start, stop, stop)
        if stop > self._pause_at:
            turn = await self._rest()
            stop = perf_counter()
        self._step_start = stop
        return turn

    def _branch(self, passage: Passage, place: int | None) -> None:
        """Give an event its course: at `place` on the walk, where a module is running, or at the walk's end."""
        key = len(self._plan.walk) if place is None else place
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = course_at(self._plan, place)
        passage.course = template.fork()
        self._follow(passage, passage.course)

    # --- single steps

    async def _step(self, passage: Passage, node: int, granted: bool, turn: Turn) -> None:
        """Run the next step of a ready node: acquire, or the final step."""
        course, event, stream = passage.course, passage.event, passage.stream
        assert course is not None
        if not granted and node in self._bounds and not self._bounds.take(node, event.number, passage):
            return
        answer: Any = None
        error: BaseException | None = None
        start = perf_counter()
        try:
            acquire = stream.acquire[node]
            if acquire is None:
                course.start(node)
                answer = stream.final[node](event)
            elif node in passage.results:
                course.start(node)
                answer = stream.final[node](event, passage.results.pop(node))
            else:
                course.acquire(node)
                answer = acquire(event)
            if answer.__class__ is CoroutineType or hasattr(answer, "__await__"):
                answer = await answer
        except asyncio.CancelledError as cancelled:
            if self._cancelled:
                raise
            error = _recovered(cancelled)
        except Exception as raised:  # noqa: BLE001  # a module's error is reported, never lost
            error = raised
        if node in self._bounds:
            for other, waiting in self._bounds.release(node):
                heapq.heappush(self._ready, (waiting.event.number, self._plan.nodes[other].rank, True, waiting))
        self._conclude(passage, node, start, turn, answer, error)

    def _conclude(
        self, passage: Passage, node: int, start: float, turn: Turn, answer: Any, error: BaseException | None
    ) -> None:
        """A step has ended: its external work goes away, or the node is settled."""
        course = passage.course
        assert course is not None
        made = self._plan.nodes[node]
        acquiring = course.acquiring(node)
        step = "acquire" if acquiring else made.step
        if self._watched:
            stop = perf_counter()
            self._tell(passage, node, step, start, stop, turn.lost or stop)
        if error is None and not acquiring:
            error = wrong_answer(made, answer)
        if error is not None:
            course.fail(node, blame(made, step, passage.event.id, error))
        elif acquiring:
            course.away(node)
            work = passage.stream.work[node]
            assert work is not None
            task = self._start(_external(work, answer))
            task.add_done_callback(partial(self._returned, passage, node, perf_counter()))
            self._pause_at = 0.0  # the loop sends the request before the next module takes the core
            return
        else:
            course.done(node, bool(answer) if made.decides else True)
        self._follow(passage, course)

    def _returned(self, passage: Passage, node: int, start: float, task: asyncio.Task[Any]) -> None:
        """External work is over."""
        if self._cancelled:
            return
        try:
            self._take_back(passage, node, start, task)
            self._wake()
        except Exception as error:  # noqa: BLE001  # in a callback it would be logged, and the job would hang
            self._break(error)

    def _take_back(self, passage: Passage, node: int, start: float, task: asyncio.Task[Any]) -> None:
        course, event = passage.course, passage.event
        assert course is not None
        if self._watched:
            self._tell(passage, node, "external work", start, perf_counter(), start)
        error = asyncio.CancelledError("the external work was cancelled") if task.cancelled() else task.exception()
        if error is None:
            passage.results[node] = task.result()
            course.back(node)
            heapq.heappush(self._ready, (event.number, self._plan.nodes[node].rank, False, passage))
        else:
            course.fail(node, blame(self._plan.nodes[node], "external work", event.id, error))
            self._follow(passage, course)

    def _follow(self, passage: Passage, course: Course) -> None:
        """Queue what may start now, drop what nobody reads any more."""
        event = passage.event
        if course.drops:
            products = event._products
            for slot in course.drops:
                products[slot] = ABSENT
            course.drops.clear()
        if course.ended and event._results is None:
            event._results = course.path_results()
        if course.ready:
            nodes, number = self._plan.nodes, event.number
            for node in course.ready:
                heapq.heappush(self._ready, (number, nodes[node].rank, False, passage))
            course.ready.clear()
        if course.finished:
            self._end(passage, course)

    def _tell(
        self, passage: Passage, node: int, step: str | None, start: float, stop: float, waited_from: float
    ) -> None:
        step = step or self._plan.nodes[node].step
        self._audience.step(node, step, passage.event.number, start, stop, waited_from - start)


async def _external(work: Callable[[Any], Awaitable[Any]], acquired: Any) -> Any:
    return await work(acquired)


@coroutine
def _yield_to_loop() -> Generator[None, None, None]:
    yield


def _recovered(cancelled: asyncio.CancelledError) -> asyncio.CancelledError:
    """A module was cancelled from inside, not by us: its task goes on with other modules."""
    if (task := asyncio.current_task()) is not None:
        while task.cancelling():
            task.uncancel()
    return cancelled
