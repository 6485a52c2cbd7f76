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

__all__ = ["CALL", "END", "FULL", "SIMPLE", "Course", "Rules", "path_result"]

IDLE, WAITING, READY, RUNNING = State.IDLE, State.WAITING, State.READY, State.RUNNING
DONE, FAILED, SKIPPED = State.DONE, State.FAILED, State.SKIPPED

CLOSED: Final = -1
PASSED: Final = PathResult(PathState.PASS)

SIMPLE, CALL, FULL, END = 0, 1, 2, 3
"""How much a node asks for: one call and its readers; one call and `settle`; more than one call; `end_paths`."""


class Rules:
    """What all courses of a plan have in common, laid out for the loop that carries events out."""

    __slots__ = (
        "end",
        "endings",
        "frees",
        "on_paths",
        "plan",
        "readers",
        "readers_left",
        "simple",
        "sorts",
        "stages",
        "unmet",
    )

    states: ClassVar[type[list[State]]] = list
    """What courses keep their states in; tests put `CheckedStates` here."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        nodes = plan.nodes[: plan.used]
        self.end = end = plan.used
        """The node that stands for the end of all paths."""
        last = _last_of_paths(plan)
        self.readers: list[tuple[int, ...]] = [
            (*node.readers, end) if node.index in last else node.readers for node in nodes
        ] + [()]
        self.simple = [not (node.decides or node.frees) for node in nodes]
        """Nodes whose end is nothing but one need less for each reader."""
        self.sorts = [
            FULL if node.external or node.bounded else SIMPLE if self.simple[node.index] else CALL for node in nodes
        ] + [END]
        self.endings = [node for node in nodes if node.ending]
        self.unmet = [len(node.needs) for node in nodes] + [len(last)]
        self.on_paths: list[list[int]] = [[] for _ in nodes]
        """The paths that each node is on."""
        for number, path in enumerate(plan.paths):
            for element in path.elements:
                self.on_paths[element].append(number)
        self.stages = [[self._woken(stage) for stage in path.stages] for path in plan.paths]
        """For each stage of each path what is sure to run when it opens."""
        self.frees = [tuple(slot for slot in node.reads if slot in plan.heavy) for node in nodes]
        self.readers_left = [0] * plan.size
        for slots in self.frees:
            for slot in slots:
                self.readers_left[slot] += 1

    def _woken(self, stage: tuple[int, ...]) -> tuple[int, ...]:
        nodes = self.plan.nodes
        return tuple(dict.fromkeys(each for node in stage for each in (*nodes[node].wakes, node)))


def _last_of_paths(plan: Plan) -> set[int]:
    """The nodes on paths that have all settled only when every node on a path has.

    A node that is read by another in the very same stages settles before that one does, or with it.
    """
    stages: dict[int, set[tuple[int, int]]] = {}
    for number, path in enumerate(plan.paths):
        for place, stage in enumerate(path.stages):
            for node in stage:
                stages.setdefault(node, set()).add((number, place))
    return {
        node
        for node, mine in stages.items()
        if not any(stages.get(reader) == mine for reader in plan.nodes[node].readers)
    }


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
        plan, stages, passed = self._rules.plan, self._stages, self._passed
        if self.errors or CLOSED in stages:
            return {path.name: path_result(plan, path, self.states, passed) for path in plan.paths}
        return {path.name: PASSED for path in plan.paths}

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
        self.states[rules.end] = RUNNING
        self.states[rules.end] = DONE
        results = self.path_results()
        for node in rules.endings:
            if not node.select or any(results[path].passed for path in node.select):
                self._wake((*node.wakes, node.index))
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

    def _wake(self, nodes: Iterable[int]) -> None:
        """These are sure to run."""
        states, unmet = self.states, self.unmet
        for node in nodes:
            if states[node] is IDLE:
                states[node] = WAITING
                if not unmet[node]:
                    states[node] = READY
                    heappush(self.ready, node)

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
            left = unmet[reader] - 1
            unmet[reader] = left
            if not left and states[reader] is WAITING:
                states[reader] = READY
                heappush(self.ready, reader)
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
            self._wake(self._rules.stages[number][stage])
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
