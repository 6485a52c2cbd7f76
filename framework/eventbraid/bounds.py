"""Bounds on concurrent calls: serial modules, limits and named resources. Decides, does not wait."""

from __future__ import annotations

from bisect import insort
from typing import Generic, TypeVar

from eventbraid.module import Module
from eventbraid.plan import Plan

__all__ = ["Bounds"]

Item = TypeVar("Item")


class _Bound:
    __slots__ = ("free", "name")

    def __init__(self, name: str, free: int) -> None:
        self.name, self.free = name, free


class _Queue(Generic[Item]):
    """The calls that wait for bounds which are connected by modules that need several of them, oldest first."""

    def __init__(self) -> None:
        self.bounds: set[_Bound] = set()
        self.waiting: list[tuple[int, int, Item]] = []


class Bounds(Generic[Item]):
    """Who may call a bounded module now, and who is next.

    A call takes all of its bounds at once, so there is no order in which two calls could block each other.
    It waits for every older call that shares a bound with it, so that none waits for ever.
    """

    def __init__(self, plan: Plan) -> None:
        self._of: dict[int, tuple[_Bound, ...]] = {}
        self._queues: dict[int, _Queue[Item]] = {}
        resources: dict[str, _Bound] = {}
        for node in plan.nodes:
            module = node.module
            if not node.bounded or not isinstance(module, Module):
                continue
            bounds: list[_Bound] = []
            if module.kind == "serial" or module.limit is not None:
                bounds.append(_Bound(node.label, 1 if module.kind == "serial" else module.limit or 1))
            bounds += [resources.setdefault(name, _Bound(name, 1)) for name in module.resources]
            self._of[node.index] = tuple(bounds)
            self._join(node.index, bounds)

    def _join(self, node: int, bounds: list[_Bound]) -> None:
        """Give a node the queue of its bounds; queues that it connects become one."""
        queue: _Queue[Item] = _Queue()
        queue.bounds.update(bounds)
        self._queues[node] = queue
        for other, theirs in self._queues.items():
            if theirs is not queue and not theirs.bounds.isdisjoint(queue.bounds):
                queue.bounds |= theirs.bounds
                self._queues[other] = queue

    def __contains__(self, node: int) -> bool:
        return node in self._of

    def take(self, node: int, number: int, item: Item) -> bool:
        """Start a call of a bounded node for event `number`, or queue it and answer False."""
        mine, waiting = self._of[node], self._queues[node].waiting
        if all(bound.free for bound in mine) and not self._overtakes(node, number):
            for bound in mine:
                bound.free -= 1
            return True
        insort(waiting, (number, node, item), key=lambda call: call[:2])
        return False

    def _overtakes(self, node: int, number: int) -> bool:
        """True when an older call waits for one of the same bounds."""
        for older, other, _ in self._queues[node].waiting:
            if older >= number:
                return False
            if not set(self._of[other]).isdisjoint(self._of[node]):
                return True
        return False

    def withdraw(self, item: Item) -> int:
        """Forget the calls of an item that are queued; how many those were."""
        withdrawn = 0
        for queue in set(self._queues.values()):
            kept = [call for call in queue.waiting if call[2] is not item]
            withdrawn += len(queue.waiting) - len(kept)
            queue.waiting = kept
        return withdrawn

    def release(self, node: int) -> list[tuple[int, Item]]:
        """End a call; the calls (node, item) that start in its place, their bounds taken."""
        for bound in self._of[node]:
            bound.free += 1
        return self.granted(node)

    def granted(self, node: int) -> list[tuple[int, Item]]:
        """The calls (node, item) that start now of those that wait with a node, oldest first."""
        queue = self._queues[node]
        granted: list[tuple[int, Item]] = []
        kept: list[tuple[int, int, Item]] = []
        blocked: set[_Bound] = set()
        for place, (number, other, item) in enumerate(queue.waiting):
            bounds = self._of[other]
            if all(bound.free for bound in bounds) and blocked.isdisjoint(bounds):
                for bound in bounds:
                    bound.free -= 1
                granted.append((other, item))
                continue
            kept.append((number, other, item))
            blocked.update(bounds)
            if blocked >= queue.bounds:
                kept += queue.waiting[place + 1 :]
                break
        if granted:
            queue.waiting = kept
        return granted
