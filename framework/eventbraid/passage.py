"""What carries one event at a time through a plan, and what it waits for there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eventbraid.copies import Stream
from eventbraid.course import Course
from eventbraid.event import Event
from eventbraid.walk import Leg

if TYPE_CHECKING:
    from eventbraid.sections import Block

__all__ = ["EXTERNAL_WORK", "Passage", "Wait"]

EXTERNAL_WORK = "external work"


class Wait:
    """A step of a module that waits: since when, in which task, and whether it is being cancelled."""

    __slots__ = ("cancelled", "since", "step", "task")

    def __init__(self, step: str, since: float, task: asyncio.Task[Any]) -> None:
        self.step, self.since, self.task = step, since, task
        self.cancelled = False

    def begin(self, step: str) -> None:
        """The next step of the same module begins, in the same task."""
        self.step, self.since = step, perf_counter()


class Passage:
    """A stream and the event that it carries, with a course once the event is off the straight walk."""

    __slots__ = ("block", "course", "event", "granted", "queued", "results", "stream", "waits", "walk")

    event: Event
    course: Course
    block: Block | None

    def __init__(self, stream: Stream, walk: Sequence[Leg]) -> None:
        self.stream = stream
        self.walk = walk
        self.queued = False
        """It is among those that can go on."""
        self.results: dict[int, Any] = {}
        """Of external work that is back, until the final step takes it."""
        self.waits: dict[int, Wait] = {}
        self.granted: set[int] = set()
        """Bounded nodes whose turn it is."""
        self.block = None

    def __repr__(self) -> str:
        return f"Passage(stream {self.stream.number}, {getattr(self, 'event', 'no event yet')})"
