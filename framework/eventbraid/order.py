"""Orders of a graph: a topological one that prefers some nodes, or the cycle that forbids every one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import TypeAlias

__all__ = ["closure", "find_cycle", "topological"]

Graph: TypeAlias = Sequence[Iterable[int]]
"""For each node the nodes that must come before it."""


def topological(before: Graph, priority: Sequence[int]) -> list[int]:
    """All nodes, each after what must come before it, among the free ones the lowest priority first."""
    unmet = [len(set(nodes)) for nodes in before]
    after: list[list[int]] = [[] for _ in before]
    for node, earlier in enumerate(before):
        for each in set(earlier):
            after[each].append(node)
    free = [(priority[node], node) for node, count in enumerate(unmet) if count == 0]
    heapq.heapify(free)
    order: list[int] = []
    while free:
        _, node = heapq.heappop(free)
        order.append(node)
        for each in after[node]:
            unmet[each] -= 1
            if unmet[each] == 0:
                heapq.heappush(free, (priority[each], each))
    return order


def find_cycle(before: Graph) -> list[int]:
    """The nodes of one cycle, each waiting for the next and the last for the first; empty if there is none."""
    unseen, open_, closed = 0, 1, 2
    state = [unseen] * len(before)
    for start in range(len(before)):
        if state[start] != unseen:
            continue
        trail = [start]
        state[start] = open_
        waiting = [iter(before[start])]
        while trail:
            for each in waiting[-1]:
                if state[each] == open_:
                    return trail[trail.index(each) :]
                if state[each] == unseen:
                    state[each] = open_
                    trail.append(each)
                    waiting.append(iter(before[each]))
                    break
            else:
                state[trail.pop()] = closed
                waiting.pop()
    return []


def closure(starts: Iterable[int], edges: Graph) -> set[int]:
    """The starts and everything reached from them."""
    reached = set(starts)
    frontier = list(reached)
    while frontier:
        for each in edges[frontier.pop()]:
            if each not in reached:
                reached.add(each)
                frontier.append(each)
    return reached
