"""The straight walk: the head of a plan for one stream, in legs, and where an event stands that leaves it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from itertools import pairwise
from typing import Any, Final, TypeAlias

from eventbraid.copies import Stream
from eventbraid.course import Course, Rules
from eventbraid.event import Event
from eventbraid.plan import Plan
from eventbraid.states import State

__all__ = ["Leg", "course_at", "drops_by_leg", "legs_of"]

LEG: Final = 10
"""Modules of a walk between two moments at which products are dropped."""

Leg: TypeAlias = tuple[int, bool, tuple[Callable[[Event], Any], ...], tuple[int, ...]]
"""A part of the walk for one stream: where it ends, whether all calls are awaited, these, the slots to drop then."""


def drops_by_leg(plan: Plan) -> dict[int, tuple[int, ...]]:
    """The slots that nobody reads after each leg of the walk, by the node where the leg ends."""
    last: dict[int, int] = {}
    for node in plan.nodes[: plan.walk]:
        for slot in (*node.reads, *node.writes):
            if slot in plan.heavy:
                last[slot] = node.index
    for node in plan.nodes[plan.walk : plan.used]:
        for slot in node.reads:
            last.pop(slot, None)
    ends: dict[int, tuple[int, ...]] = {}
    for slot, place in last.items():
        end = min((place // LEG + 1) * LEG, plan.walk)
        ends[end] = (*ends.get(end, ()), slot)
    if plan.walk == plan.used:  # the event is over then, and with it all that is left
        ends.pop(plan.walk, None)
    return ends


def legs_of(plan: Plan, stream: Stream, drops: dict[int, tuple[int, ...]]) -> tuple[Leg, ...]:
    """The walk of one stream."""
    cuts = sorted({0, plan.walk, *drops})
    legs: list[Leg] = []
    for first, last in pairwise(cuts):
        calls = stream.final[first:last]
        legs.append((last, all(map(iscoroutinefunction, calls)), calls, drops.get(last, ())))
    return tuple(legs)


def course_at(rules: Rules, place: int, waiting: bool) -> Course:
    """The course of an event whose walk came to `place`, where the module has started if it is `waiting`."""
    course = Course(rules).begin()
    if rules.end in course.ready:  # no path names a module: what runs after them begins at once
        course.ready.remove(rules.end)
        course.end_paths()
    walked = place + waiting
    for node in range(walked):
        course.states[node] = State.RUNNING
        if node < place:
            course.settle(node)
    course.ready = sorted(node for node in course.ready if node >= walked)
    return course
