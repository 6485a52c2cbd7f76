"""The straight walk: the head of a plan for one stream, in legs, and where an event stands that leaves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias

from eventbraid.copies import Stream
from eventbraid.course import Course
from eventbraid.event import Event
from eventbraid.plan import Plan

__all__ = ["Leg", "course_at", "drops_by_leg", "legs_of"]

LEG: Final = 10
"""Modules of a walk between two moments at which products are dropped."""

Leg: TypeAlias = tuple[int, bool, tuple[Callable[[Event], Any], ...], tuple[int, ...]]
"""A part of the walk for one stream: where it ends, whether all calls are awaited, these, the slots to drop then."""


def drops_by_leg(plan: Plan) -> list[tuple[int, ...]]:
    """For each leg of the walk the slots that nobody reads after it."""
    last: dict[int, int] = {}
    for place, node in enumerate(plan.walk):
        for slot in (*plan.nodes[node].reads, *plan.nodes[node].writes):
            last[slot] = place
    for node in plan.order[len(plan.walk) :]:
        for slot in plan.nodes[node].reads:
            last.pop(slot, None)
    if len(plan.walk) == len(plan.order):  # the event is over then, and with it all that is left
        last = {slot: place for slot, place in last.items() if place // LEG < (len(plan.walk) - 1) // LEG}
    legs = range(0, len(plan.walk), LEG)
    return [tuple(slot for slot, place in last.items() if place // LEG == first // LEG) for first in legs]


def legs_of(plan: Plan, stream: Stream, drops: Sequence[tuple[int, ...]]) -> tuple[Leg, ...]:
    """The walk of one stream."""
    calls = [stream.final[node] for node in plan.walk]
    legs = [tuple(calls[first : first + LEG]) for first in range(0, len(calls), LEG)]
    return tuple(
        (number * LEG + len(leg), all(map(iscoroutinefunction, leg)), leg, slots)
        for number, (leg, slots) in enumerate(zip(legs, drops, strict=True))
    )


def course_at(plan: Plan, place: int | None) -> Course:
    """The course of an event whose walk came to `place`, or to its end."""
    course = Course(plan).begin()
    for node in plan.walk[:place]:
        course.start(node)
        course.done(node)
    if place is not None:
        course.start(plan.walk[place])
    course.ready = [node for node in course.ready if course.is_ready(node)]
    course.drops = []
    return course
