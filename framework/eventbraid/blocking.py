"""Carries a plan out one event, one module at a time: today's usual way, and the reference for the scheduler.

Nothing overlaps: a module that waits, and external work, are awaited where they stand.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from time import perf_counter, thread_time
from typing import Any

from eventbraid.copies import Stream, blame, wrong_answer
from eventbraid.course import path_result
from eventbraid.errors import EventbraidError, ModuleError
from eventbraid.event import Event, PathResult
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.plan import Node, Path, Plan
from eventbraid.services.audience import Audience
from eventbraid.states import State

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

    async def run(self) -> None:
        """Read and process all events in order."""
        intake, ledger = self._intake, self._ledger
        try:
            while not intake.ended and ledger.fatal is None:
                entry = intake.poll()
                if entry is None:
                    if not intake.ended:
                        await intake.load()
                    continue
                if entry.id.event == 0:
                    continue
                self.in_flight = 1
                await self._process(Event(self._plan, entry, intake.read - 1))
                self.in_flight = 0
                if ledger.writing_due:
                    await ledger.write()
                await asyncio.sleep(0)  # signals and the control service are served between events
        except EventbraidError as error:
            ledger.stopped_by(error)

    async def _process(self, event: Event) -> None:
        if self._audience:
            self._audience.event_begins(event.id, event.number, perf_counter())
        passing = _Passing(self, event)
        results = await passing.results()
        passed, failed = self._ledger.book(event, results, passing.errors, passing.given_up)
        if passing.stops:
            self._intake.stop()
        if self._audience:
            self._audience.event_ends(event.id, event.number, perf_counter(), failed, passed)

    async def call(self, event: Event, node: Node) -> bool:
        """Run all steps of a node; a filter's decision, True for all others. Raises `ModuleError`."""
        stream, index = self._stream, node.index
        step = "acquire"
        try:
            arguments: tuple[Any, ...] = (event,)
            if (acquire := stream.acquire[index]) is not None and (work := stream.work[index]) is not None:
                acquired = await self._timed(event, node, step, acquire, event)
                step = "external work"
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

    async def _timed(self, event: Event, node: Node, step: str, call: Any, *arguments: Any) -> Any:
        start, cpu = perf_counter(), thread_time()
        try:
            answer = call(*arguments)
            return await answer if inspect.isawaitable(answer) else answer
        finally:
            if self._audience:
                busy = 0.0 if step == "external work" else thread_time() - cpu
                self._audience.step(node.index, step, event.number, start, perf_counter(), busy)


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
        try:
            for path in plan.paths:
                for element in path.elements:
                    await self._settle(plan.nodes[element])
            results = {path.name: path_result(plan, path, self._states, self._passed) for path in plan.paths}
            event._results = results
            for node in plan.nodes[: plan.used]:
                if node.ending and (not node.select or any(results[path].passed for path in node.select)):
                    await self._run(node)
        except GivenUp:
            self.given_up = True
            return {}
        return results

    async def _settle(self, node: Node) -> State:
        """Run a node unless it has run, or no path that it is on lets it."""
        if self._states[node.index] is State.IDLE:
            if not node.on_path or await self._reached(node):
                await self._run(node)
            else:
                self._states[node.index] = State.SKIPPED
        return self._states[node.index]

    async def _reached(self, node: Node) -> bool:
        """True when on one of its paths all filters before it have passed."""
        for path in self._plan.paths:
            if node.index in path.elements and await self._passed_before(path, node):
                return True
        return False

    async def _passed_before(self, path: Path, node: Node) -> bool:
        for element in path.elements[: path.elements.index(node.index)]:
            other = self._plan.nodes[element]
            if other.decides and not (await self._settle(other) is State.DONE and self._passed[element]):
                return False
        return True

    async def _run(self, node: Node) -> None:
        index = node.index
        for need in node.needs:
            await self._settle(self._plan.nodes[need])
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
