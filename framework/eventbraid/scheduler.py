"""Carries a plan out with many events braided on one event loop; the only file that starts tasks.

**Hand-off.** One driver task holds the turn: it takes events through the plan and awaits each module
natively, so a module that does not suspend costs neither a task nor a callback, and `current_task()`,
timeouts and cancellation are exact in it. Whenever the loop gives the driver control, a sentry callback is
queued behind it. If a module suspends, the sentry runs next: it takes the turn away and starts a fresh
driver, which carries on with whatever is ready. The suspended task stays that module's own; when it resumes
it completes the module and, if nobody holds the turn, drives on.

**External work** is awaited in the same way: what does not suspend costs nothing more than a call, and what
does has left before the next module takes the core. Its result makes the node ready again.

**Order.** What is ready for the oldest event comes first, within an event what leads to external work
first; then new events, while a stream is free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from heapq import heapify, heappop, heappush
from operator import length_hint
from time import perf_counter
from types import CoroutineType, coroutine
from typing import Any, Final

from eventbraid.bounds import Bounds
from eventbraid.copies import Stream, blame, late, wrong_answer
from eventbraid.course import CALL, END, FULL, SIMPLE, Course, Rules
from eventbraid.errors import EventbraidError, ModuleError
from eventbraid.event import ABSENT, Event, make_event
from eventbraid.external_work import FLUSH_SECONDS, ExternalModule
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.passage import EXTERNAL_WORK, Passage, Wait
from eventbraid.plan import Plan
from eventbraid.sections import Block, Sections, Work
from eventbraid.services.audience import Audience
from eventbraid.states import SETTLED, State
from eventbraid.transitions import call
from eventbraid.walk import course_at, drops_by_leg, legs_of
from eventbraid.whereabouts import Whereabouts, server_of

__all__ = ["Scheduler"]

SLICE: Final = 0.0005
"""Seconds after which the driver lets the loop serve completions and timers."""
LONG_STEP: Final = 0.00001
"""Steps that take longer, on average, have the clock read after each of them."""
COURSE: Final = -1
"""In place of the first node of a run of steps along the walk: the steps are those of the trail."""

WAITING, READY, ACQUIRING, EXTERNAL = State.WAITING, State.READY, State.ACQUIRING, State.EXTERNAL
RUNNING, DONE, FAILED, SKIPPED = State.RUNNING, State.DONE, State.FAILED, State.SKIPPED
FLUSHED: Final = frozenset({EXTERNAL, DONE, FAILED, SKIPPED})
"""A module that holds requests back sees no more of an event in one of these."""


class Turn:
    """Held by the driver that may start modules; `lost` is when the sentry took it away, 0 before."""

    __slots__ = ("lost", "node", "task")

    def __init__(self, task: asyncio.Task[None] | None) -> None:
        self.task = task
        self.lost = 0.0
        self.node = 0


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
        self._rules = Rules(plan)
        self._drops = drops_by_leg(plan)
        self._free: list[Passage] = []
        self._retiring = 0
        self._flying: set[Passage] = set()
        self._bounds: Bounds[Passage] = Bounds(plan)
        self._walk_is_all = plan.walk == plan.used
        self._templates: dict[tuple[int, bool], Course] = {}
        self._ready: list[tuple[int, Passage]] = []
        self._turn: Turn | None = None
        self._at: Passage | None = None
        self._node = 0
        self._step = ""
        self._began = 0.0
        self._walker: Iterator[Callable[[Event], Any]] | None = None
        self._leg_end = 0
        self._first = COURSE
        self._stamps: list[float] = []
        self._trail: list[int] = []
        self._watched = audience.steps
        self._events_watched = audience.events
        self._clocked = self._watched
        self._plain = not (self._events_watched or plan.lumis or plan.deadline)
        """Nobody is told of events, and nothing is done for them before and after their modules."""
        self._pause_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle: list[asyncio.Future[None]] = []
        """Drivers that have nothing to do."""
        self._loading = self._writing = False
        self._writes = ledger.writes
        self._running = self._cancelled = False
        self._sections = Sections(plan, streams[0], self._start_section_step) if plan.lumis else None
        self._flushers = [
            node.index
            for node in plan.nodes[: plan.used]
            if isinstance(node.module, ExternalModule) and node.module.holds_back()
        ]
        self._flushed: dict[int, tuple[frozenset[int], float]] = {}
        """The events whose requests each copy was told to send, and when."""
        self._deadlines: deque[tuple[float, int, Passage]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.add(streams)

    def _start_section_step(self, work: Work) -> None:
        self._start(self._section_step(work))

    @property
    def section_errors(self) -> list[ModuleError]:
        """What begins, ends and flushes of sections have raised."""
        return self._sections.errors if self._sections is not None else []

    @property
    def in_flight(self) -> int:
        """Events that were read and have not ended."""
        return len(self._flying)

    async def run(self) -> None:
        """Read and finish all events; raises what the framework raised, never a module's error.

        Cancelled, it cancels every module and all external work and awaits them first.
        """
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._running = True
        self.wake()
        try:
            await self._over
        finally:
            self._cancelled = True
            if self._sections is not None:
                self._sections.interrupt()
            for task in self._tasks:
                if self._sections is None or task not in self._sections.calling:
                    task.cancel()
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks)
                self._tasks -= done
            if self._timer is not None:
                self._timer.cancel()
            if self._sections is not None:
                await self._sections.abandon()

    def add(self, streams: Sequence[Stream]) -> None:
        """More streams carry events once the driver is woken."""
        self._free += [Passage(stream, legs_of(self._plan, stream, self._drops)) for stream in reversed(streams)]

    def retire(self, streams: int) -> list[Stream]:
        """So many streams carry no more events once they are free; those that are free already.

        A negative number lets as many stay that were to go.
        """
        self._retiring += streams
        gone: list[Stream] = []
        while self._retiring > 0 and self._free:
            gone.append(self._free.pop().stream)
            self._retiring -= 1
        return gone

    @property
    def retiring(self) -> int:
        """Streams that are to go once they are free."""
        return self._retiring

    def whereabouts(self) -> list[Whereabouts]:
        """What every event in flight waits for, oldest first; one entry for each step that waits."""
        now, found = perf_counter(), list[Whereabouts]()
        for passage in sorted(self._flying, key=lambda passage: passage.event.number):
            event = passage.event
            for node, wait in sorted(passage.waits.items()):
                label, server = self._plan.labels[node], server_of(wait.task)
                found.append(Whereabouts(event.id, event.number, label, wait.step, wait.since, server))
            if not passage.waits:
                found.append(Whereabouts(event.id, event.number, "", "its turn", now))
        return found

    def __repr__(self) -> str:
        return f"Scheduler({self._plan.name!r}, {self.in_flight} in flight, {len(self._ready)} ready)"

    # --- tasks, and who holds the turn

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        """The framework itself is at fault: end the job with its error rather than hang."""
        if not self._over.done():
            self._over.set_exception(error)

    def wake(self) -> None:
        """Let a driver go on if nobody holds the turn: one that is idle, or a new one."""
        if self._turn is None and self._running and not self._cancelled:
            self._turn = Turn(None)
            if self._idle:
                self._idle.pop().set_result(None)
            else:
                task = self._loop.create_task(self._drive())
                self._tasks.add(task)

    def _sentry(self, turn: Turn) -> None:
        """The driver gave the loop control: if it still holds the turn, it waits inside a module."""
        if self._turn is not turn:
            return
        turn.lost = perf_counter()
        self._turn = None
        try:
            if (passage := self._at) is not None:
                self._leave(passage, turn)
            self.wake()
        except Exception as error:  # noqa: BLE001  # in a callback it would be logged, and the job would hang
            self._break(error)

    def _leave(self, passage: Passage, turn: Turn) -> None:
        """The module where the event is waits in the driver's task, which is its own from now on."""
        since = self._since(turn.lost)
        if self._walker is not None:
            self._leave_walk(passage)
        elif self._stamps:
            self._tell_walked(passage)
        self._at = None
        assert turn.task is not None
        turn.node = node = self._node
        passage.course.out += 1
        passage.waits[node] = wait = Wait(self._step or self._plan.nodes[node].step, since, turn.task)
        self._step = ""
        if passage.course.drops:
            self._drop(passage)
        if passage.course.given_up:  # in the moment between the wait and this call
            self._cancel(wait)
        self._queue(passage)

    def _take_turn(self, task: asyncio.Task[None] | None) -> Turn:
        self._turn = turn = Turn(task)
        self._pause_at = perf_counter() + SLICE
        self._loop.call_soon(self._sentry, turn)
        return turn

    async def _rest(self, task: asyncio.Task[None] | None) -> Turn:
        """Let the loop serve completions and timers, without giving the turn away."""
        self._turn = Turn(None)
        await _yield_to_loop()
        return self._take_turn(task)

    async def _drive(self) -> None:
        """Hold the turn again and again, until the job is over; in between be idle."""
        task = asyncio.current_task()
        assert task is not None
        try:
            while await self._hold_turn(task):
                idle = self._loop.create_future()
                self._idle.append(idle)
                await idle
        except Exception as error:  # noqa: BLE001  # whoever waits for the job is told
            self._break(error)
        finally:
            self._tasks.discard(task)

    async def _hold_turn(self, task: asyncio.Task[None]) -> bool:
        """Carry on with what is ready, then with new events, until nothing can start; False if the job is over."""
        turn = self._take_turn(task)
        while True:
            if self._ready:
                _, passage = heappop(self._ready)
                passage.queued = False
                await self._carry(passage, turn)
            elif (entered := self._admit()) is not None:
                if self._plan.walk:
                    turn = await self._walk(entered, turn)
                else:
                    self._branch(entered, 0, waiting=False)
                    await self._carry(entered, turn)
            else:
                break
            if self._turn is not turn:  # a module waited, and the turn was taken
                if self._turn is not None or self._cancelled:
                    return not self._cancelled
                turn = self._take_turn(task)
            elif (now := perf_counter()) > self._pause_at:
                self._clocked = self._clocked or now - self._pause_at > SLICE
                if self._flushers:
                    self._flush()
                turn = await self._rest(task)
        self._turn = None
        if not self._flying and self._intake.ended and not (self._loading or self._writing or self._over.done()):
            if self._sections is not None:
                self._sections.close()
                if self._sections.open:
                    return True  # the last of them to end wakes us
            self._over.set_result(None)
            return False
        if self._flushers:
            self._flush()
        return True

    # --- events

    def _admit(self) -> Passage | None:
        """Take in a new event, if a stream is free and the source has one."""
        intake = self._intake
        while True:
            if not self._free or intake.ended or intake.held or self._loading or (self._writes and self._ledger.full):
                return None
            event: Event | None = None
            number = intake.read
            try:
                entry = intake.poll()
                if entry is not None and intake.read > number:
                    event = make_event(self._plan, entry, number)
            except EventbraidError as error:
                intake.stop()
                self._ledger.stopped_by(error)
                return None
            if entry is None:
                if not intake.ended:
                    self._loading = True
                    self._start(self._load())
                return None
            block = self._sections.block(entry.id) if self._sections is not None else None
            if event is None:
                continue  # it only opens a section
            passage = self._free.pop()
            passage.event = event
            self._flying.add(passage)
            if self._plain or self._is_welcome(passage, block):
                return passage

    def _is_welcome(self, passage: Passage, block: Block | None) -> bool:
        """Note when the event was read; False where its stream is on its way to the event's section."""
        event, plan = passage.event, self._plan
        if self._events_watched:
            self._audience.event_begins(event.id, event.number, perf_counter())
        if plan.deadline is not None:
            self._deadlines.append((self._loop.time() + plan.deadline, event.number, passage))
            if self._timer is None:
                self._await_deadline()
        return block is None or self._is_in(passage, block)

    def _await_deadline(self) -> None:
        self._timer = None
        if self._deadlines:
            self._timer = self._loop.call_at(self._deadlines[0][0], self._deadline_passed)

    def _deadline_passed(self) -> None:
        """Give up the events that have not ended in time, but not the one that has the core at this moment."""
        later: list[tuple[float, int, Passage]] = []
        try:
            now = self._loop.time()
            while self._deadlines and self._deadlines[0][0] <= now:
                _, number, passage = self._deadlines.popleft()
                if passage not in self._flying or passage.event.number != number:
                    continue
                if passage is self._at:
                    later.append((now + SLICE, number, passage))
                elif not passage.course.given_up:
                    self._expire(passage)
            self._deadlines.extendleft(later)
            self._await_deadline()
            self.wake()
        except Exception as error:  # noqa: BLE001  # in a callback it would be logged, and the job would hang
            self._break(error)

    def _expire(self, passage: Passage) -> None:
        course, plan = passage.course, self._plan
        if passage.waits:
            node, wait = min(passage.waits.items(), key=lambda item: item[1].since)
            step = wait.step
        else:
            node = next(node for node, state in enumerate(course.states) if state not in SETTLED)
            step = "waiting for its turn"
        node = min(node, plan.used - 1)
        course.errors[node] = late(plan, node, step, passage.event.id)
        if plan.nodes[node].on_error == "stop":
            self._intake.stop()
        self._give_up(passage, everything=True)
        self._follow(passage)

    def _is_in(self, passage: Passage, block: Block) -> bool:
        """True when the stream is in the event's section; else it is on its way there."""
        assert self._sections is not None
        passage.block, passage.event._lumi = block, block.section
        block.inside += 1
        if self._sections.is_in(passage.stream, block):
            return True
        self._branch(passage, 0, waiting=False)
        passage.course.out += 1
        self._start(self._enter(passage, block))
        return False

    async def _enter(self, passage: Passage, block: Block) -> None:
        assert self._sections is not None
        course = passage.course
        try:
            await self._sections.enter(passage.stream, block)
        except ModuleError as error:
            self._intake.stop()
            course.errors.setdefault(self._plan.labels.index(error.label), error)
            course.give_up()
        course.out -= 1
        self._follow(passage)
        self.wake()

    async def _section_step(self, work: Work) -> None:
        """A begin or an end of a section."""
        assert self._sections is not None
        errors = len(self._sections.errors)
        await work()
        if len(self._sections.errors) > errors:
            self._intake.stop()
        self.wake()

    def _flush(self) -> None:
        """Let modules send what they hold back, where no other event of a section can come to them."""
        stuck = not self._free or self._intake.ended or self._intake.held
        for node in self._flushers:
            lumis: dict[Block, list[Passage]] = {}
            for passage in self._flying:
                assert passage.block is not None
                lumis.setdefault(passage.block, []).append(passage)
            for block, passages in lumis.items():
                states = [passage.course.states[node] for passage in passages]
                if (block.closed or stuck) and EXTERNAL in states and FLUSHED.issuperset(states):
                    self._flush_node(node, [passage for passage in passages if node in passage.waits])

    def _flush_node(self, node: int, passages: list[Passage]) -> None:
        """Every event of a section that may come to a module has come: tell each of its copies, now and then."""
        copies: dict[int, list[Passage]] = {}
        for passage in passages:
            copies.setdefault(id(passage.stream.modules[node]), []).append(passage)
        for copy, waiting in copies.items():
            held, now = frozenset(passage.event.number for passage in waiting), self._loop.time()
            told, when = self._flushed.get(copy, (None, 0.0))
            if told != held or now >= when + FLUSH_SECONDS:
                self._flushed[copy] = held, now
                self._start(self._flush_lumi(waiting[0], node))

    async def _flush_lumi(self, passage: Passage, node: int) -> None:
        module: Any = passage.stream.modules[node]
        try:
            await call(self._plan.nodes[node], "flush_lumi", module.flush_lumi, passage.event.lumi)
        except ModuleError as error:
            assert self._sections is not None
            self._sections.errors.append(error)
            self._intake.stop()
            for other in list(self._flying):
                if other.stream.modules[node] is module and node in other.waits:
                    self._cancel(other.waits[node])
        self._loop.call_later(FLUSH_SECONDS, self.wake)

    async def _load(self) -> None:
        try:
            await self._intake.load()
        except EventbraidError as error:
            self._ledger.stopped_by(error)
        finally:
            self._loading = False
        self.wake()

    def _end(self, passage: Passage) -> None:
        """The event is over: its stream is free."""
        event, course = passage.event, passage.course
        if passage.queued:  # given up while something was ready
            passage.queued = False
            self._ready.remove((event.number, passage))
            heapify(self._ready)
        passed, failed = self._ledger.book(event, event._results or {}, course.errors, course.given_up)
        self._release(passage, failed, passed)

    def _release(self, passage: Passage, failed: bool, passed: bool) -> None:
        self._flying.discard(passage)
        if passage.block is not None:
            assert self._sections is not None
            self._sections.leave(passage.block)
            passage.block = None
        if self._retiring:
            self._retiring -= 1
        else:
            self._free.append(passage)
        if self._events_watched:
            event = passage.event
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
        self.wake()

    # --- the straight walk

    async def _walk(self, entered: Passage, turn: Turn) -> Turn:
        """Take new events through the head of the plan, one after the other, while nothing older can go on.

        The turn that the driver then holds, or has lost.
        """
        passage: Passage | None = entered
        stamp = self._stamps.append
        while passage is not None:
            event, clocked = passage.event, self._clocked
            products = event._products
            if clocked:
                self._first = 0
                stamp(perf_counter())
            self._at = passage
            answer: Any = None
            try:
                for end, awaited, calls, drops in passage.walk:
                    self._leg_end = end
                    self._walker = walker = iter(calls)
                    if clocked:
                        for call in walker:
                            answer = call(event)
                            if answer is not None:
                                if answer.__class__ is CoroutineType or hasattr(answer, "__await__"):
                                    answer = await answer
                                if turn.lost or answer is not None:
                                    break
                            now = perf_counter()
                            stamp(now)
                            if now > self._pause_at:
                                turn = await self._rest_on_walk(passage, turn)
                    elif awaited:
                        for call in walker:
                            answer = await call(event)
                            if answer is not None:
                                break
                    else:
                        for call in walker:
                            answer = call(event)
                            if answer is not None:
                                if answer.__class__ is CoroutineType or hasattr(answer, "__await__"):
                                    answer = await answer
                                if answer is not None:
                                    break
                    if turn.lost or answer is not None:
                        self._stumble(passage, turn, answer, None)
                        return turn
                    for slot in drops:
                        products[slot] = ABSENT
            except asyncio.CancelledError as cancelled:
                if self._cancelled:
                    raise
                self._stumble(passage, turn, None, _recovered(cancelled))
                return turn
            except Exception as raised:  # noqa: BLE001  # a module's error is reported, never lost
                self._stumble(passage, turn, None, raised)
                return turn
            self._walker = self._at = None
            if clocked:
                self._unclock(passage)
            if not self._walk_is_all:
                self._branch(passage, self._plan.walk, waiting=False)
                self._follow(passage)
                return turn
            self._ledger.walked(event)
            if self._plain and not (self._retiring or self._writes):
                self._flying.remove(passage)
                self._free.append(passage)
            else:
                self._release(passage, False, True)
            if self._ready or perf_counter() > self._pause_at:
                return turn
            passage = self._admit()
        return turn

    async def _rest_on_walk(self, passage: Passage, turn: Turn) -> Turn:
        self._tell_walked(passage)
        turn = await self._rest(turn.task)
        self._stamps.append(perf_counter())
        return turn

    def _stumble(self, passage: Passage, turn: Turn, answer: Any, error: BaseException | None) -> None:
        """A module on the walk has waited and ended now, has failed, or has answered what it may not."""
        if not turn.lost:
            began = self._since(perf_counter())
            self._leave_walk(passage)
            self._at = None
            turn.node = self._node
            if self._watched:
                self._tell(passage, turn.node, self._plan.nodes[turn.node].step, began, perf_counter() - began)
        self._conclude(passage, turn.node, turn, answer, error)
        self._follow(passage)

    def _leave_walk(self, passage: Passage) -> None:
        """Go on by a course from the place on the walk where the event is, and end the walk."""
        walker: Any = self._walker
        assert walker is not None
        self._node = node = self._leg_end - length_hint(walker) - 1
        walker.__setstate__(self._leg_end)
        self._walker = None
        self._tell_walked(passage)
        self._branch(passage, node, waiting=True)

    def _branch(self, passage: Passage, place: int, *, waiting: bool) -> None:
        template = self._templates.get((place, waiting))
        if template is None:
            template = self._templates[place, waiting] = course_at(self._rules, place, waiting)
        passage.course = template.fork()
        if template.ended:
            passage.event._results = template.path_results()

    # --- by the course

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
                if self._caught(passage, node, turn, _recovered(cancelled)):
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
            error = _recovered(cancelled)
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


@coroutine
def _yield_to_loop() -> Generator[None, None, None]:
    yield


def _recovered(cancelled: asyncio.CancelledError) -> asyncio.CancelledError:
    """A module was cancelled, not the job: its task goes on with other modules."""
    _uncancel()
    return cancelled


def _uncancel() -> None:
    if (task := asyncio.current_task()) is not None:
        while task.cancelling():
            task.uncancel()
