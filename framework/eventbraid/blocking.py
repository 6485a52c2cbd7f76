"""Carries a plan out one event, one module at a time: today's usual way, and the reference for the scheduler.

Nothing overlaps: a module that waits, and external work, are awaited where they stand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from functools import partial
from time import perf_counter, thread_time
from typing import Any

from eventbraid.copies import Stream, blame, late, wrong_answer
from eventbraid.course import path_result
from eventbraid.errors import EventbraidError, ModuleError
from eventbraid.event import Event, EventID, PathResult, make_event
from eventbraid.external_work import FLUSH_SECONDS, ExternalModule
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.passage import EXTERNAL_WORK
from eventbraid.plan import Node, Path, Plan
from eventbraid.sections import Block, Sections, Work
from eventbraid.services.audience import Audience
from eventbraid.states import State
from eventbraid.transitions import call

__all__ = ["Blocking"]


class Blocking:
    """One job in blocking mode: call `run()` once."""

    def __init__(self, plan: Plan, stream: Stream, intake: Intake, ledger: Ledger, audience: Audience) -> None:
        self._plan = plan
        self._stream = stream
        self._intake = intake
        self._ledger = ledger
        self._audience = audience
        self.in_flight = 0
        self._node, self._step = 0, ""
        self._due: deque[Work] = deque()
        self._moving = False
        self._sections = Sections(plan, stream, self._take_on) if plan.lumis else None

    async def run(self) -> None:
        """Read and process all events in order."""
        try:
            await self._run()
        finally:
            if self._sections is not None:
                await self._sections.abandon()

    async def _run(self) -> None:
        intake, ledger = self._intake, self._ledger
        try:
            while not intake.ended and ledger.fatal is None:
                if intake.held:
                    await intake.resumed.wait()
                    continue
                entry = intake.poll()
                if entry is None:
                    if not intake.ended:
                        await intake.load()
                    continue
                read_at = asyncio.get_running_loop().time()
                block = await self._block(entry.id)
                if entry.id.event == 0:
                    continue  # it only opens a section
                self.in_flight = 1
                await self._process(make_event(self._plan, entry, intake.read - 1), block, read_at)
                self.in_flight = 0
                if ledger.writing_due:
                    await ledger.write()
                await asyncio.sleep(0)  # signals and the control service are served between events
        except EventbraidError as error:
            ledger.stopped_by(error)
        if self._sections is not None:
            self._sections.close()
            await self._move_on()

    def _take_on(self, work: Work) -> None:
        """What one end leads to comes before what was due after it: the end of a run before the next one's begin."""
        if self._moving:
            self._due.appendleft(work)
        else:
            self._due.append(work)

    async def _block(self, id_: EventID) -> Block | None:
        """The section of an event, begun."""
        if self._sections is None:
            return None
        block = self._sections.block(id_)
        await self._move_on()
        return block

    async def _move_on(self) -> None:
        """End and begin the sections that are due, one after the other."""
        self._moving = True
        while self._due:
            await self._due.popleft()()
        self._moving = False
        if self.section_errors:
            self._intake.stop()

    @property
    def section_errors(self) -> list[ModuleError]:
        """What begins, ends and flushes of sections have raised."""
        return self._sections.errors if self._sections is not None else []

    async def _process(self, event: Event, block: Block | None, read_at: float) -> None:
        if self._audience.events:
            self._audience.event_begins(event.id, event.number, perf_counter())
        passing = _Passing(self, event)
        limit, timer, late_in = asyncio.timeout(None), None, [(0, "waiting for its turn")]
        if self._plan.deadline is not None:
            loop, until = asyncio.get_running_loop(), read_at + self._plan.deadline
            limit = asyncio.timeout_at(until)
            if loop.time() < until:
                timer = loop.call_at(until, lambda: late_in.append((self._node, self._step)))
        try:
            async with limit:
                if limit.when() is not None and timer is None:  # its section took all the time to begin
                    await asyncio.Event().wait()
                if block is not None and self._sections is not None:
                    block.inside += 1
                    event._lumi = block.section
                    await self._sections.enter(self._stream, block)
                results = await passing.results()
            if limit.expired():  # and the module made light of it
                raise TimeoutError
        except ModuleError as error:  # of a section's begin
            results = passing.fail(self._plan.labels.index(error.label), error)
        except TimeoutError:
            if not limit.expired():
                raise
            node, step = late_in[-1]
            results = passing.fail(node, late(self._plan, node, step, event.id))
            passing.stops = self._plan.nodes[node].on_error == "stop"
        if timer is not None:
            timer.cancel()
        if block is not None and self._sections is not None:
            self._sections.leave(block)
        passed, failed = self._ledger.book(event, results, passing.errors, passing.given_up)
        if passing.stops:
            self._intake.stop()
        if self._audience.events:
            self._audience.event_ends(event.id, event.number, perf_counter(), failed, passed)

    async def call(self, event: Event, node: Node) -> bool:
        """Run all steps of a node; a filter's decision, True for all others. Raises `ModuleError`."""
        stream, index = self._stream, node.index
        step = "acquire"
        try:
            arguments: tuple[Any, ...] = (event,)
            if (acquire := stream.acquire[index]) is not None and (work := stream.work[index]) is not None:
                acquired = await self._timed(event, node, step, acquire, event)
                step = EXTERNAL_WORK
                if isinstance(node.module, ExternalModule) and node.module.holds_back():
                    work = partial(self._flushing, event, node, work)
                arguments = (event, await self._timed(event, node, step, work, acquired))
            step = node.step
            answer = await self._timed(event, node, step, stream.final[index], *arguments)
            if (error := wrong_answer(node, answer)) is not None:
                raise error
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise blame(node, step, event.id, error) from error
        except Exception as error:
            raise blame(node, step, event.id, error) from error
        return bool(answer) if node.decides else True

    async def _flushing(self, event: Event, node: Node, work: Any, acquired: Any) -> Any:
        """External work of a module that would wait for other events: there are none."""
        module: Any = self._stream.modules[node.index]
        task = asyncio.ensure_future(work(acquired))
        try:
            while not (await asyncio.wait([task], timeout=FLUSH_SECONDS))[0]:
                await call(node, "flush_lumi", module.flush_lumi, event.lumi)
            return task.result()
        finally:
            task.cancel()

    async def _timed(self, event: Event, node: Node, step: str, call: Any, *arguments: Any) -> Any:
        self._node, self._step = node.index, step
        if not self._audience.steps:
            return await _answer(step, call(*arguments))
        start, cpu = perf_counter(), thread_time()
        try:
            return await _answer(step, call(*arguments))
        finally:
            busy = 0.0 if step == EXTERNAL_WORK else thread_time() - cpu
            self._audience.step(node.index, step, event.number, start, perf_counter(), busy)


async def _answer(step: str, answer: Any) -> Any:
    if step == EXTERNAL_WORK or hasattr(answer, "__await__"):
        answer = await answer
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError  # the module took no notice
    return answer


class _Passing:
    """One event: what ran, and how it ended."""

    def __init__(self, job: Blocking, event: Event) -> None:
        self._job, self._event, self._plan = job, event, job._plan
        self._states = [State.IDLE] * len(self._plan.nodes)
        self._passed = [False] * len(self._plan.nodes)
        self.errors: dict[int, ModuleError] = {}
        self.given_up = self.stops = False

    async def results(self) -> Mapping[str, PathResult]:
        """Run all paths, then what runs after them; none of it where the event is given up."""
        plan, event = self._plan, self._event
        nodes = plan.nodes[: plan.used]
        try:
            for node in nodes:  # each comes after what it reads and after the filters before it
                if node.on_path:
                    await self._settle(node, reached=self._is_reached(node))
            results = {path.name: path_result(plan, path, self._states, self._passed) for path in plan.paths}
            event._results = results
            for node in nodes:
                if node.ending:
                    await self._settle(node, reached=self._is_selected(node, results))
        except GivenUp:
            self.given_up = True
            return {}
        return results

    def fail(self, node: int, error: ModuleError) -> Mapping[str, PathResult]:
        """The event cannot be processed, or not in time."""
        self.errors = {node: error}
        self.given_up = self.stops = True
        return {}

    async def _settle(self, node: Node, *, reached: bool) -> None:
        """Run a node, and before it what it needs on demand; or skip it."""
        if not reached:
            self._states[node.index] = State.SKIPPED
            return
        for index in (*node.wakes, node.index):
            if self._states[index] is State.IDLE:
                await self._run(self._plan.nodes[index])

    def _is_reached(self, node: Node) -> bool:
        """True when on one of its paths all filters before it have passed."""
        return any(node.index in path.elements and self._has_passed(path, node) for path in self._plan.paths)

    def _has_passed(self, path: Path, node: Node) -> bool:
        before = path.elements[: path.elements.index(node.index)]
        return all(self._passed[each] for each in before if self._plan.nodes[each].decides)

    def _is_selected(self, node: Node, results: Mapping[str, PathResult]) -> bool:
        return not node.select or any(results[path].passed for path in node.select)

    async def _run(self, node: Node) -> None:
        index = node.index
        for need in node.needs:
            if self._states[need] is State.FAILED and index in self._plan.nodes[need].spoils:
                self._states[index], self.errors[index] = State.FAILED, self.errors[need]
                return
        try:
            self._passed[index] = await self._job.call(self._event, node)
            self._states[index] = State.DONE
        except ModuleError as error:
            self._states[index], self.errors[index] = State.FAILED, error
            self.stops = self.stops or node.on_error == "stop"
            if node.on_error != "continue":
                raise GivenUp from error


class GivenUp(Exception):
    """A module raised whose policy gives up the event."""
