"""The course of one event through a plan: what may start now, given what has ended. No I/O, no clock.

It is counters of unmet needs. Whoever carries an event out takes the lowest node from `ready`, sets its
state as the steps go, and says `settle` or `fail` when it has ended; for a node that is `SIMPLE` it may
count down the needs of the readers itself. When the last node of all paths has settled, the node `end` is
ready: `end_paths` wakes what runs after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappush
from typing import ClassVar, Final, Self

from eventbraid.errors import ModuleError
from eventbraid.event import PathResult, PathState
from eventbraid.plan import Path, Plan
from eventbraid.states import SETTLED, State

__all__ = ["CALL", "FULL", "SIMPLE", "Course", "Rules", "path_result"]

IDLE, WAITING, READY = State.IDLE, State.WAITING, State.READY
DONE, FAILED, SKIPPED = State.DONE, State.FAILED, State.SKIPPED

CLOSED: Final = -1

SIMPLE, CALL, FULL = 0, 1, 2
"""How much a node asks for: one call and its readers; one call and `settle`; more than one call."""


class Rules:
    """What all courses of a plan have in common, laid out for the loop that carries events out."""

    __slots__ = ("end", "frees", "on_paths", "plan", "readers", "readers_left", "sorts", "unmet")

    states: ClassVar[type[list[State]]] = list
    """What courses keep their states in; tests put `CheckedStates` here."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        nodes = plan.nodes[: plan.used]
        self.end = end = plan.used
        """The node that stands for the end of all paths."""
        self.readers: list[tuple[int, ...]] = [
            (*node.readers, end) if node.on_path else node.readers for node in nodes
        ] + [()]
        self.sorts = [_sort(plan, node) for node in range(end)] + [FULL]
        self.unmet = [len(node.needs) for node in nodes] + [sum(node.on_path for node in nodes)]
        self.on_paths: list[list[int]] = [[] for _ in nodes]
        """The paths that each node is on."""
        for number, path in enumerate(plan.paths):
            for element in path.elements:
                self.on_paths[element].append(number)
        self.frees = [tuple(slot for slot in node.reads if slot in plan.heavy) for node in nodes]
        self.readers_left = [0] * plan.size
        for slots in self.frees:
            for slot in slots:
                self.readers_left[slot] += 1



def _sort(plan: Plan, number: int) -> int:
    node = plan.nodes[number]
    if node.external or node.bounded:
        return FULL
    return CALL if node.decides or node.frees else SIMPLE


class Course:
    """Counters and states of one event."""

    __slots__ = (
        "_chances",
        "_passed",
        "_readers_left",
        "_rules",
        "_stages",
        "drops",
        "ended",
        "errors",
        "given_up",
        "out",
        "ready",
        "sorts",
        "spoilt",
        "states",
        "unmet",
    )

    def __init__(self, rules: Rules) -> None:
        plan = rules.plan
        self._rules = rules
        self.states = rules.states([IDLE] * rules.end + [WAITING])
        self.ready: list[int] = []
        """A heap of the nodes that may start their next step."""
        self.out = 0
        """Nodes that have started, wait, and will be heard of again."""
        self.drops: list[int] = []
        """Slots whose products nobody reads any more; the caller empties it."""
        self.errors: dict[int, ModuleError] = {}
        self.spoilt: dict[int, ModuleError] = {}
        """Nodes that have not started and will fail with what they need."""
        self.ended = self.given_up = False
        self.unmet = rules.unmet.copy()
        self.sorts = rules.sorts
        self._passed = [False] * rules.end
        self._stages = [0] * len(plan.paths)
        self._chances = [len(paths) for paths in rules.on_paths]
        self._readers_left = rules.readers_left.copy()

    def begin(self) -> Self:
        """Wake the first stages of all paths; what may start is then in `ready`."""
        for number in range(len(self._rules.plan.paths)):
            self._advance(number)
        if self.unmet[self._rules.end] == 0:
            self._met(self._rules.end)
        return self

    def fork(self) -> Course:
        """An independent copy of a course on which nothing has failed."""
        copy = object.__new__(Course)
        copy._rules, copy.sorts = self._rules, self.sorts
        copy.ended, copy.given_up = self.ended, False
        copy.out = self.out
        copy.states, copy.ready, copy.unmet = self.states.copy(), self.ready.copy(), self.unmet.copy()
        copy.drops, copy.errors, copy.spoilt = self.drops.copy(), {}, {}
        copy._passed, copy._stages = self._passed.copy(), self._stages.copy()
        copy._chances, copy._readers_left = self._chances.copy(), self._readers_left.copy()
        return copy

    @property
    def finished(self) -> bool:
        """True when nothing is left to run."""
        return self.ended and not self.ready and not self.out

    def passed(self, node: int) -> bool:
        """True when a filter has passed."""
        return self._passed[node]

    def path_results(self) -> dict[str, PathResult]:
        """How each path ended."""
        plan = self._rules.plan
        return {path.name: path_result(plan, path, self.states, self._passed) for path in plan.paths}

    def settle(self, node: int, passed: bool = True) -> None:
        """The node ended well; `passed` is a filter's decision."""
        self.states[node] = DONE
        self._passed[node] = passed
        self._settled(node)

    def fail(self, node: int, error: ModuleError) -> None:
        """The node raised, or needs what one that raised should have put."""
        self.errors[node] = error
        self.states[node] = FAILED
        if spoils := self._rules.plan.nodes[node].spoils:
            if self.sorts is self._rules.sorts:
                self.sorts = self.sorts.copy()
            for reader in spoils:
                self.spoilt.setdefault(reader, error)
                self.sorts[reader] = FULL
        self._settled(node)

    def end_paths(self) -> dict[str, PathResult]:
        """All paths have ended: wake what runs after them; how each path ended."""
        self.ended = True
        rules = self._rules
        plan = rules.plan
        self.states[rules.end] = State.RUNNING
        self.states[rules.end] = DONE
        results = self.path_results()
        for node in plan.nodes[: plan.used]:
            if not node.ending:
                continue
            if not node.select or any(results[path].passed for path in node.select):
                self._wake(node.index)
            elif self.states[node.index] is IDLE:
                self._skip(node.index)
        return results

    def give_up(self) -> None:
        """Nothing more starts for this event; what is out has to come back."""
        self.given_up = self.ended = True
        self.ready.clear()
        for node, state in enumerate(self.states):
            if state is IDLE or state is WAITING or state is READY:
                self.states[node] = SKIPPED

    def _wake(self, node: int) -> None:
        """The node is sure to run, and so is every producer on demand that it needs."""
        states = self.states
        if states[node] is not IDLE:
            return
        for each in (*self._rules.plan.nodes[node].wakes, node):
            if states[each] is IDLE:
                states[each] = WAITING
                if self.unmet[each] == 0:
                    self._met(each)

    def _met(self, node: int) -> None:
        """All inputs of a waiting node are settled."""
        self.states[node] = READY
        heappush(self.ready, node)

    def _skip(self, node: int) -> None:
        self.states[node] = SKIPPED
        self._settled(node)

    def _settled(self, node: int) -> None:
        rules, states, unmet = self._rules, self.states, self.unmet
        made = rules.plan.nodes[node]
        if made.frees:
            self._free(made.writes, rules.frees[node])
        for reader in rules.readers[node]:
            unmet[reader] -= 1
            if unmet[reader] == 0 and states[reader] is WAITING:
                self._met(reader)
        if made.decides:
            for path in rules.on_paths[node]:
                self._advance(path)

    def _free(self, writes: Iterable[int], reads: Iterable[int]) -> None:
        left = self._readers_left
        for slot in reads:
            left[slot] -= 1
            if left[slot] == 0:
                self.drops.append(slot)
        for slot in writes:
            if left[slot] == 0 and slot in self._rules.plan.heavy:
                self.drops.append(slot)

    def _advance(self, number: int) -> None:
        """Wake the path's open stage; go on while the filters that end stages have passed."""
        plan = self._rules.plan
        stages = plan.paths[number].stages
        while (stage := self._stages[number]) != CLOSED and stage < len(stages):
            last = stages[stage][-1]
            for node in stages[stage]:
                self._wake(node)
            if not plan.nodes[last].decides or self.states[last] not in SETTLED:
                return
            if self._passed[last] and self.states[last] is DONE:
                self._stages[number] = stage + 1
            else:
                self._close(number, stage + 1)

    def _close(self, number: int, stage: int) -> None:
        """A filter did not pass: the later stages will not run for this path."""
        self._stages[number] = CLOSED
        for nodes in self._rules.plan.paths[number].stages[stage:]:
            for node in nodes:
                self._chances[node] -= 1
                if self._chances[node] == 0 and self.states[node] is IDLE:
                    self._skip(node)


def path_result(plan: Plan, path: Path, states: list[State], passed: list[bool]) -> PathResult:
    """How a path ended: decided by its first element that failed or did not pass."""
    for node in path.elements:
        label = plan.nodes[node].label
        if states[node] is FAILED:
            return PathResult(PathState.EXCEPTION, label)
        if states[node] is not DONE:
            return PathResult(PathState.NOT_RUN, label)
        if plan.nodes[node].decides and not passed[node]:
            return PathResult(PathState.FAIL, label)
    return PathResult(PathState.PASS)
