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
from collections.abc import Generator, Sequence
from heapq import heapify, heappop
from time import perf_counter
from types import coroutine
from typing import Any, Final

from eventbraid.carrier import Turn
from eventbraid.copies import Stream, late
from eventbraid.errors import EventbraidError, ModuleError
from eventbraid.event import Event, make_event
from eventbraid.external_work import FLUSH_SECONDS, ExternalModule
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.passage import Passage, Wait
from eventbraid.plan import Plan
from eventbraid.sections import Block, Sections, Work
from eventbraid.services.audience import Audience
from eventbraid.states import SETTLED, State
from eventbraid.transitions import call
from eventbraid.walk import drops_by_leg, legs_of
from eventbraid.walker import Walker
from eventbraid.whereabouts import Whereabouts, server_of

__all__ = ["Scheduler"]

SLICE: Final = 0.0005
"""Seconds after which the driver lets the loop serve completions and timers."""
FLUSHED: Final = frozenset({State.EXTERNAL, *SETTLED})
"""A module that holds requests back sees no more of an event in one of these."""


class Scheduler(Walker):
    """One job in asynchronous mode: call `run()` once."""

    def __init__(
        self,
        plan: Plan,
        streams: Sequence[Stream],
        intake: Intake,
        ledger: Ledger,
        audience: Audience,
    ) -> None:
        super().__init__(plan, intake, ledger, audience)
        self._drops = drops_by_leg(plan)
        self._turn: Turn | None = None
        self._events_watched = audience.events
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle: list[asyncio.Future[None]] = []
        """Drivers that have nothing to do."""
        self.gone: list[Stream] = []
        """Streams that have begun and carry no events any more."""
        self._loading = self._writing = self._running = False
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

    def retire(self, streams: int) -> None:
        """So many streams carry no more events once they are free; a negative number lets as many stay."""
        self._retiring += streams
        while self._retiring > 0 and self._free:
            self.gone.append(self._free.pop().stream)
            self._retiring -= 1

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
            if self._plain or self._is_welcome(passage, block):
                return passage

    def _is_welcome(self, passage: Passage, block: Block | None) -> bool:
        """Note when the event was read; False where its stream is on its way to the event's section."""
        event, plan = passage.event, self._plan
        self._flying.add(passage)
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
                if (block.closed or stuck) and State.EXTERNAL in states and FLUSHED.issuperset(states):
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
            self.gone.append(passage.stream)
        else:
            self._free.append(passage)
        if self._events_watched:
            event = passage.event
            self._audience.event_ends(event.id, event.number, perf_counter(), failed, passed)
        self._write_what_is_due()

    def _write_what_is_due(self) -> None:
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
        self._write_what_is_due()  # where the ledger is full no event is read, whose end would have it written
        self.wake()


@coroutine
def _yield_to_loop() -> Generator[None, None, None]:
    yield
