"""The course of one event through a plan: what may start now, given what has ended. No I/O, no clock."""

from __future__ import annotations

from typing import Self

from eventbraid.errors import ModuleError
from eventbraid.event import PathResult, PathState
from eventbraid.plan import Path, Plan
from eventbraid.states import SETTLED, State, change

__all__ = ["Course", "path_result"]

CLOSED = -1


class Course:
    """Counters of unmet needs for each node of one event.

    The caller starts the nodes that appear in `ready`, reports each with `start`, `away`, `back`, `done`
    or `fail`, and drops the products whose slots appear in `drops`; it empties both lists.
    """

    __slots__ = (
        "_chances",
        "_passed",
        "_path_nodes_left",
        "_paths",
        "_readers_left",
        "_stages",
        "_unmet",
        "_unsettled",
        "drops",
        "ended",
        "errors",
        "plan",
        "ready",
        "states",
    )

    def __init__(self, plan: Plan) -> None:
        nodes = plan.nodes
        self.plan = plan
        self.states = [State.IDLE] * len(nodes)
        self.ready: list[int] = []
        self.drops: list[int] = []
        self.errors: dict[int, ModuleError] = {}
        self.ended = False
        self._unmet = [len(node.needs) for node in nodes]
        self._passed = [False] * len(nodes)
        self._stages = [0] * len(plan.paths)
        self._paths: list[list[int]] = [[] for _ in nodes]
        for number, path in enumerate(plan.paths):
            for element in path.elements:
                self._paths[element].append(number)
        self._chances = [len(paths) for paths in self._paths]
        self._path_nodes_left = sum(node.on_path for node in nodes)
        self._unsettled = 0
        self._readers_left = [0] * plan.size
        for node in nodes:
            if node.rank >= 0:
                for slot in node.reads:
                    self._readers_left[slot] += 1

    def begin(self) -> Self:
        """Wake the first stages of all paths; what may start is then in `ready`."""
        for number in range(len(self.plan.paths)):
            self._advance(number)
        if self._path_nodes_left == 0:
            self._end()
        return self

    def fork(self) -> Course:
        """An independent copy."""
        copy = object.__new__(Course)
        copy.plan, copy.ended = self.plan, self.ended
        copy.states, copy.ready, copy.drops = self.states[:], self.ready[:], self.drops[:]
        copy.errors = self.errors.copy()
        copy._unmet, copy._passed, copy._stages = self._unmet[:], self._passed[:], self._stages[:]
        copy._paths, copy._chances = self._paths, self._chances[:]
        copy._path_nodes_left, copy._unsettled = self._path_nodes_left, self._unsettled
        copy._readers_left = self._readers_left[:]
        return copy

    @property
    def finished(self) -> bool:
        """True when nothing is left to run."""
        return self.ended and self._unsettled == 0

    @property
    def failed(self) -> bool:
        """True when a module raised."""
        return bool(self.errors)

    def passed(self, node: int) -> bool:
        """True when a filter has passed."""
        return self._passed[node]

    def path_results(self) -> dict[str, PathResult]:
        """How each path ended."""
        return {path.name: path_result(self.plan, path, self.states, self._passed) for path in self.plan.paths}

    def is_ready(self, node: int) -> bool:
        """True when the node may start its next step."""
        return self.states[node] is State.READY

    def acquiring(self, node: int) -> bool:
        """True when the node is in its acquire."""
        return self.states[node] is State.ACQUIRING

    def start(self, node: int) -> None:
        """The final step of a ready node starts."""
        change(self.states, node, State.RUNNING)

    def acquire(self, node: int) -> None:
        """An external node starts to acquire."""
        change(self.states, node, State.ACQUIRING)

    def away(self, node: int) -> None:
        """The node's work is away."""
        change(self.states, node, State.EXTERNAL)

    def back(self, node: int) -> None:
        """The node's work is back."""
        change(self.states, node, State.READY)

    def done(self, node: int, passed: bool = True) -> None:
        """The node ended well; `passed` is a filter's decision."""
        change(self.states, node, State.DONE)
        self._passed[node] = passed
        self._settled(node)

    def fail(self, node: int, error: ModuleError) -> None:
        """The node raised."""
        self.errors[node] = error
        change(self.states, node, State.FAILED)
        self._settled(node)

    def _wake(self, node: int) -> None:
        """The node is sure to run, and so is every producer on demand that it needs."""
        if self.states[node] is not State.IDLE:
            return
        for each in (*self.plan.nodes[node].wakes, node):
            if self.states[each] is State.IDLE:
                change(self.states, each, State.WAITING)
                self._unsettled += 1
                if self._unmet[each] == 0:
                    self._met(each)

    def _met(self, node: int) -> None:
        """All inputs of a waiting node are settled."""
        states, errors = self.states, self.errors
        for need in self.plan.nodes[node].needs:
            if states[need] is State.FAILED:
                errors[node] = errors[need]
                change(states, node, State.FAILED)
                self._settled(node)
                return
        change(states, node, State.READY)
        self.ready.append(node)

    def _settled(self, node: int) -> None:
        made = self.plan.nodes[node]
        states, unmet = self.states, self._unmet
        if states[node] is not State.SKIPPED:
            self._unsettled -= 1
        for slot in made.reads:
            self._readers_left[slot] -= 1
            if self._readers_left[slot] == 0:
                self.drops.append(slot)
        for slot in made.writes:
            if self._readers_left[slot] == 0:
                self.drops.append(slot)
        for reader in made.readers:
            unmet[reader] -= 1
            if unmet[reader] == 0 and states[reader] is State.WAITING:
                self._met(reader)
        if made.on_path:
            self._path_nodes_left -= 1
            if made.decides:
                for path in self._paths[node]:
                    self._advance(path)
            if self._path_nodes_left == 0:
                self._end()

    def _advance(self, number: int) -> None:
        """Wake the path's open stage; go on while the filters that end stages have passed."""
        stages = self.plan.paths[number].stages
        while (stage := self._stages[number]) != CLOSED and stage < len(stages):
            last = stages[stage][-1]
            for node in stages[stage]:
                self._wake(node)
            if self._stages[number] != stage:
                return  # waking settled a node, which advanced this path further
            if not self.plan.nodes[last].decides or self.states[last] not in SETTLED:
                return
            if self._passed[last] and self.states[last] is State.DONE:
                self._stages[number] = stage + 1
            else:
                self._close(number, stage + 1)

    def _close(self, number: int, stage: int) -> None:
        """A filter did not pass: the later stages will not run for this path."""
        self._stages[number] = CLOSED
        for nodes in self.plan.paths[number].stages[stage:]:
            for node in nodes:
                self._chances[node] -= 1
                if self._chances[node] == 0 and self.states[node] is State.IDLE:
                    change(self.states, node, State.SKIPPED)
                    self._settled(node)

    def _end(self) -> None:
        """All paths have ended: wake what runs after them."""
        if self.ended:
            return
        self.ended = True
        plan = self.plan
        spoilt = bool(self.errors) and plan.on_error != "continue"
        results = self.path_results()
        for node in plan.nodes:
            if not node.ending:
                continue
            if not spoilt and (not node.select or any(results[path].passed for path in node.select)):
                self._wake(node.index)
            elif self.states[node.index] is State.IDLE:
                change(self.states, node.index, State.SKIPPED)
                self._settled(node.index)


def path_result(plan: Plan, path: Path, states: list[State], passed: list[bool]) -> PathResult:
    """How a path ended: decided by its first element that failed or did not pass."""
    for node in path.elements:
        label = plan.nodes[node].label
        if states[node] is State.FAILED:
            return PathResult(PathState.EXCEPTION, label)
        if states[node] is not State.DONE:
            return PathResult(PathState.NOT_RUN, label)
        if plan.nodes[node].decides and not passed[node]:
            return PathResult(PathState.FAIL, label)
    return PathResult(PathState.PASS)
