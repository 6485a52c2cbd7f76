"""Takes new events straight through the head of the plan, until a module waits."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterator
from operator import length_hint
from time import perf_counter
from types import CoroutineType
from typing import Any

from eventbraid.carrier import Carrier, Turn, recovered
from eventbraid.course import Course
from eventbraid.event import ABSENT, Event
from eventbraid.intake import Intake
from eventbraid.ledger import Ledger
from eventbraid.passage import Passage
from eventbraid.plan import Plan
from eventbraid.services.audience import Audience
from eventbraid.walk import course_at

__all__ = ["Walker"]


class Walker(Carrier):
    """What walks events; where the sentry sees one waiting it ends the walk by exhausting its iterator."""

    def __init__(self, plan: Plan, intake: Intake, ledger: Ledger, audience: Audience) -> None:
        super().__init__(plan, intake, ledger, audience)
        self._free: list[Passage] = []
        self._flying: set[Passage] = set()
        self._retiring = 0
        self._walk_is_all = plan.walk == plan.used
        self._templates: dict[tuple[int, bool], Course] = {}
        self._walker: Iterator[Callable[[Event], Any]] | None = None
        self._leg_end = 0
        self._writes = ledger.writes
        self._plain = not (audience.events or plan.lumis or plan.deadline)
        """Nobody is told of events, and nothing is done for them before and after their modules."""

    @abstractmethod
    def _admit(self) -> Passage | None:
        """Take in a new event, if a stream is free and the source has one."""

    @abstractmethod
    def _release(self, passage: Passage, failed: bool, passed: bool) -> None:
        """The stream of an event is free."""

    @abstractmethod
    async def _rest(self, task: asyncio.Task[None] | None) -> Turn:
        """Let the loop serve completions and timers, without giving the turn away."""

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
                self._stumble(passage, turn, None, recovered(cancelled))
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
