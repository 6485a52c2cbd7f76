"""Bounds on concurrent calls: serial modules, limits and named resources. Decides, does not wait."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

from eventbraid.module import Module
from eventbraid.plan import Plan

__all__ = ["Bounds"]

Item = TypeVar("Item")


class _Bound:
    __slots__ = ("free", "name", "nodes")

    def __init__(self, name: str, free: int) -> None:
        self.name, self.free = name, free
        self.nodes: list[int] = []


class Bounds(Generic[Item]):
    """Who may call a bounded module now, and who is next: always the oldest whose bounds are all free.

    A call takes all of its bounds at once, so there is no order in which two calls could block each other.
    """

    def __init__(self, plan: Plan) -> None:
        self._of: dict[int, tuple[_Bound, ...]] = {}
        self._waiting: dict[int, list[tuple[int, Item]]] = {}
        resources: dict[str, _Bound] = {}
        for node in plan.nodes:
            module = node.module
            if not node.bounded or not isinstance(module, Module):
                continue
            bounds: list[_Bound] = []
            if module.kind == "serial" or module.limit is not None:
                bounds.append(_Bound(node.label, 1 if module.kind == "serial" else module.limit or 1))
            bounds += [resources.setdefault(name, _Bound(name, 1)) for name in module.resources]
            for bound in bounds:
                bound.nodes.append(node.index)
            self._of[node.index] = tuple(bounds)
            self._waiting[node.index] = []

    def __contains__(self, node: int) -> bool:
        return node in self._of

    def take(self, node: int, number: int, item: Item) -> bool:
        """Start a call of a bounded node for event `number`, or queue it and answer False."""
        bounds = self._of[node]
        if all(bound.free for bound in bounds):
            for bound in bounds:
                bound.free -= 1
            return True
        heapq.heappush(self._waiting[node], (number, item))
        return False

    def withdraw(self, item: Item) -> int:
        """Forget the calls of an item that are queued; how many those were."""
        withdrawn = 0
        for node, queue in self._waiting.items():
            kept = [each for each in queue if each[1] is not item]
            withdrawn += len(queue) - len(kept)
            heapq.heapify(kept)
            self._waiting[node] = kept
        return withdrawn

    def release(self, node: int) -> list[tuple[int, Item]]:
        """End a call; the calls (node, item) that start in its place, their bounds taken."""
        for bound in self._of[node]:
            bound.free += 1
        granted: list[tuple[int, Item]] = []
        while True:
            candidates = {each for bound in self._of[node] if bound.free for each in bound.nodes}
            heads = [
                (self._waiting[each][0][0], each)
                for each in candidates
                if self._waiting[each] and all(bound.free for bound in self._of[each])
            ]
            if not heads:
                return granted
            _, chosen = min(heads)
            _, item = heapq.heappop(self._waiting[chosen])
            for bound in self._of[chosen]:
                bound.free -= 1
            granted.append((chosen, item))
