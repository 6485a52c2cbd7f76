"""Carries one event at a time by its course: what is ready of it runs until nothing is, or a module waits.

The steps of an event follow each other in one loop (`Carrier._carry`); those that are more than one call, of
modules that are bounded or external, go through `_step_through`. What a module waits in stays its own task, and
comes back here without the turn (`Turn.lost`): then it only notes how its step ended, and the event goes on when
whoever holds the turn comes to it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from heapq import heappop, heappush
from time import perf_counter
from types import CoroutineType
from typing import Any, Final

from eventbraid.bounds import Bounds
from eventbraid.copies import blame, wrong_answer
from eventbraid.course import CALL, END, FULL, SIMPLE, Rules
from eventbraid.event import ABSENT
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.passage import EXTERNAL_WORK, Passage, Wait
from eventbraid.plan import Plan
from eventbraid.services.audience import Audience
from eventbraid.states import State

__all__ = ["COURSE", "Carrier", "Turn", "recovered"]

LONG_STEP: Final = 0.00001
"""Steps that take longer, on average, have the clock read after each of them."""
COURSE: Final = -1
"""In place of the first node of a run of steps along the walk: the steps are those of the trail."""

WAITING, READY, ACQUIRING, EXTERNAL = State.WAITING, State.READY, State.ACQUIRING, State.EXTERNAL
RUNNING, DONE, FAILED, SKIPPED = State.RUNNING, State.DONE, State.FAILED, State.SKIPPED


class Turn:
    """Held by the driver that may start modules; `lost` is when the sentry took it away, 0 before."""

    __slots__ = ("lost", "node", "task")

    def __init__(self, task: asyncio.Task[None] | None) -> None:
        self.task = task
        self.lost = 0.0
        self.node = 0


class Carrier(ABC):
    """What runs the steps of events."""

    def __init__(self, plan: Plan, intake: Intake, ledger: Ledger, audience: Audience) -> None:
        self._plan = plan
        self._intake = intake
        self._ledger = ledger
        self._audience = audience
        self._rules = Rules(plan)
        self._bounds: Bounds[Passage] = Bounds(plan)
        self._ready: list[tuple[int, Passage]] = []
        """A heap of the events that can go on."""
        self._at: Passage | None = None
        """The event whose module has the core, or waits and was not seen to do so yet."""
        self._node = 0
        self._step = ""
        self._began = 0.0
        self._first = COURSE
        self._stamps: list[float] = []
        self._trail: list[int] = []
        self._watched = audience.steps
        self._clocked = self._watched
        self._pause_at = 0.0
        self._cancelled = False

    @abstractmethod
    def _end(self, passage: Passage) -> None:
        """The event is over: its stream is free."""

    # --- the steps of an event

    async def _carry(self, passage: Passage, turn: Turn) -> None:
        """Run what is ready of an event, until nothing is, a module waits, or the slice is over."""
        event, course = passage.event, passage.course
        ready, states, unmet = course.ready, course.states, course.unmet
        readers, simple, finals = self._rules.readers, self._rules.simple, passage.stream.final
        stamps, trail, clocked = self._stamps, self._trail, self._clocked
        if clocked:
            self._first = COURSE
            stamps.append(perf_counter())
        self._at = passage
        node = 0
        answer: Any
        while ready:
            sorts = course.sorts
            try:
                while ready:
                    node = heappop(ready)
                    sort = sorts[node]
                    if sort < FULL:
                        self._node = node
                        states[node] = RUNNING
                        answer = finals[node](event)
                        if answer is not None and (answer.__class__ is CoroutineType or hasattr(answer, "__await__")):
                            answer = await answer
                            if turn.lost:
                                self._conclude(passage, node, turn, answer, None)
                                self._follow(passage)
                                return
                    elif sort == END:
                        event._results = course.end_paths()
                        continue
                    else:
                        if stamps:
                            self._tell_walked(passage)
                        answer = None
                        ended = await self._step_through(passage, node, turn)
                        if turn.lost:
                            return
                        if ended:
                            sort = SIMPLE if simple[node] else CALL
                    if sort == SIMPLE and answer is None:
                        states[node] = DONE
                        for reader in readers[node]:
                            left = unmet[reader] - 1
                            unmet[reader] = left
                            if not left and states[reader] is WAITING:
                                states[reader] = READY
                                heappush(ready, reader)
                    elif sort != FULL:
                        self._conclude(passage, node, turn, answer, None)
                        if course.drops:
                            self._drop(passage)
                    sorts = course.sorts
                    if clocked:
                        now = perf_counter()
                        if stamps:
                            trail.append(node)
                        stamps.append(now)
                        if now > self._pause_at:
                            break
            except asyncio.CancelledError as cancelled:
                if self._cancelled:
                    raise
                if self._caught(passage, node, turn, recovered(cancelled)):
                    return
                continue
            except Exception as raised:  # noqa: BLE001  # a module's error is reported, never lost
                if self._caught(passage, node, turn, raised):
                    return
                continue
            break
        self._at = None
        if clocked:
            self._unclock(passage)
        self._follow(passage)

    def _caught(self, passage: Passage, node: int, turn: Turn, error: BaseException) -> bool:
        """A node's one call has raised; True where it had lost the turn."""
        if self._clocked and not turn.lost:
            self._stamps.append(perf_counter())
            self._trail.append(node)
        self._conclude(passage, node, turn, None, error)
        if turn.lost:
            self._follow(passage)
        return bool(turn.lost)

    async def _step_through(self, passage: Passage, node: int, turn: Turn) -> bool:
        """The next step of a bounded node, or acquire and external work of one, and its final step.

        Where the work waits, the final step comes when it is the event's turn again. True where the node has
        ended well, keeping the turn, and is to be settled.
        """
        course, made, stream = passage.course, self._plan.nodes[node], passage.stream
        if course.spoilt and (spoilt := course.spoilt.get(node)) is not None:
            course.fail(node, spoilt)
            return False
        bounded, watched, states, results = made.bounded, self._watched, course.states, passage.results
        if bounded and not self._take(passage, node):
            return False
        self._node = node
        answer: Any = None
        error: BaseException | None = None
        if watched:
            self._began = perf_counter()
        step = made.step
        try:
            if (work := stream.work[node]) is None:
                self._step = step
                states[node] = RUNNING
                answer = stream.final[node](passage.event)
            else:
                if node not in results:
                    acquire: Any = stream.acquire[node]
                    self._step = step = "acquire"
                    states[node] = ACQUIRING
                    acquired = acquire(passage.event)
                    if acquired.__class__ is CoroutineType or hasattr(acquired, "__await__"):
                        acquired = await acquired
                    if bounded:
                        self._give_back(node)
                        bounded = False
                    if course.given_up:
                        raise GivenUp
                    if watched:
                        self._tell_step(passage, node, turn)
                    step = EXTERNAL_WORK
                    states[node] = EXTERNAL
                    if turn.lost:
                        passage.waits[node].begin(step)
                    else:
                        self._step = step
                    result = await work(acquired)
                    if course.given_up:
                        raise GivenUp
                    results[node] = result
                    if watched:
                        self._tell_step(passage, node, turn)
                    states[node] = READY
                    if turn.lost:  # the oldest event's result goes first
                        self._back(passage, node)
                        heappush(course.ready, node)
                        self._follow(passage)
                        return False
                    if made.bounded:
                        if not self._take(passage, node):
                            self._step = ""
                            return False
                        bounded = True
                self._step = step = made.step
                states[node] = RUNNING
                answer = stream.final[node](passage.event, results.pop(node))
            if answer is not None and (answer.__class__ is CoroutineType or hasattr(answer, "__await__")):
                answer = await answer
        except asyncio.CancelledError as cancelled:
            if self._cancelled:
                raise
            error = recovered(cancelled)
        except Exception as raised:  # noqa: BLE001  # a module's error is reported, never lost
            error = raised
        if bounded:
            self._give_back(node)
        if watched:
            self._tell_step(passage, node, turn)
        if not turn.lost:
            self._step = ""
            if error is None and answer is None and not made.decides:
                return True
        self._conclude(passage, node, turn, answer, error, step)
        if turn.lost:
            self._follow(passage)
        return False

    def _tell_step(self, passage: Passage, node: int, turn: Turn) -> None:
        """Tell of a step that has ended; the next begins now."""
        now = perf_counter()
        if turn.lost:
            wait = passage.waits[node]
            self._tell(passage, node, wait.step, wait.since, max(0.0, turn.lost - wait.since))
        else:
            self._tell(passage, node, self._step, self._began, now - self._began)
            self._began = now

    def _conclude(
        self,
        passage: Passage,
        node: int,
        turn: Turn,
        answer: Any,
        error: BaseException | None,
        step: str = "",
    ) -> None:
        """The last step of a node has ended, or one has failed."""
        course, made = passage.course, self._plan.nodes[node]
        if turn.lost:
            wait = self._back(passage, node)
            if self._watched and not step:
                self._tell(passage, node, made.step, wait.since, turn.lost - wait.since)
        if error is None:
            error = wrong_answer(made, answer)
        if error is None:
            course.settle(node, bool(answer) if made.decides else True)
        elif course.given_up:
            course.states[node] = SKIPPED if course.states[node] is EXTERNAL else FAILED
        else:
            course.fail(node, blame(made, step or made.step, passage.event.id, error))
            if made.on_error == "stop":
                self._intake.stop()
            if made.on_error != "continue":
                self._give_up(passage)

    def _back(self, passage: Passage, node: int) -> Wait:
        """A node no longer waits."""
        wait = passage.waits.pop(node)
        passage.course.out -= 1
        if wait.cancelled:  # and took no notice of it
            _uncancel()
        return wait

    def _give_up(self, passage: Passage, *, everything: bool = False) -> None:
        """Nothing more starts for this event; its external work is cancelled, and `everything` that waits."""
        course = passage.course
        course.give_up()
        passage.results.clear()
        course.out -= self._bounds.withdraw(passage)
        for node in passage.granted:
            self._give_back(node)
        passage.granted.clear()
        for wait in passage.waits.values():
            self._cancel(wait, everything=everything)

    def _cancel(self, wait: Wait, *, everything: bool = False) -> None:
        external = wait.step == EXTERNAL_WORK
        if (external or everything) and not wait.cancelled:
            self._ledger.cancelled += external
            wait.cancelled = True
            wait.task.cancel()

    def _take(self, passage: Passage, node: int) -> bool:
        """Start a call of a bounded node, or queue it and answer False."""
        if node in passage.granted:
            passage.granted.remove(node)
            return True
        if self._bounds.take(node, passage.event.number, passage):
            return True
        passage.course.out += 1
        return False

    def _give_back(self, node: int) -> None:
        """A call of a bounded node has ended: the next may start."""
        for other, waiting in self._bounds.release(node):
            waiting.course.out -= 1
            waiting.granted.add(other)
            heappush(waiting.course.ready, other)
            self._queue(waiting)

    def _queue(self, passage: Passage) -> None:
        """The event can go on."""
        if passage is not self._at and passage.course.ready and not passage.queued:
            passage.queued = True
            heappush(self._ready, (passage.event.number, passage))

    def _drop(self, passage: Passage) -> None:
        products = passage.event._products
        for slot in passage.course.drops:
            products[slot] = ABSENT
        passage.course.drops.clear()

    def _follow(self, passage: Passage) -> None:
        """Drop what nobody reads any more; let the event go on, or end."""
        course = passage.course
        if course.drops:
            self._drop(passage)
        if passage is self._at:  # its driver waits, or is about to go on
            return
        if course.ended and not course.ready and not course.out:
            self._end(passage)
        else:
            self._queue(passage)

    # --- clocks and listeners

    def _since(self, otherwise: float) -> float:
        """When the step that is running began, if that was noted."""
        if self._stamps:
            return self._stamps[-1]
        return self._began if self._watched and self._step else otherwise

    def _unclock(self, passage: Passage) -> None:
        """A clocked run of steps has ended; without listeners the clock is read on only if they were long."""
        stamps = self._stamps
        if not self._watched and stamps:
            self._clocked = stamps[-1] - stamps[0] > (len(stamps) - 1) * LONG_STEP
        self._tell_walked(passage)

    def _tell_walked(self, passage: Passage) -> None:
        """Tell of the steps that followed each other without waiting."""
        stamps, trail = self._stamps, self._trail
        if self._watched and len(stamps) > 1:
            first = self._first
            steps = trail if first == COURSE else range(first, first + len(stamps) - 1)
            self._audience.walked(passage.event.number, steps, stamps)
        if self._first != COURSE:
            self._first += max(0, len(stamps) - 1)
        stamps.clear()
        trail.clear()

    def _tell(self, passage: Passage, node: int, step: str, began: float, busy: float) -> None:
        if step == EXTERNAL_WORK:
            busy = 0.0
        elif spent := passage.stream.spent.pop(node, 0.0):
            busy += spent
        self._audience.step(node, step, passage.event.number, began, perf_counter(), busy)


class GivenUp(Exception):
    """The event was given up while a step was under way."""


def recovered(cancelled: asyncio.CancelledError) -> asyncio.CancelledError:
    """A module was cancelled, not the job: its task goes on with other modules."""
    _uncancel()
    return cancelled


def _uncancel() -> None:
    if (task := asyncio.current_task()) is not None:
        while task.cancelling():
            task.uncancel()
