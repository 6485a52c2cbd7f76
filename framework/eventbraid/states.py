"""The states of a module within an event, and the changes that are allowed.

idle ─► waiting ─► ready ─► running ─► done
  │        │        │ ▲        └─────► failed
  │        │        ▼ │
  │        │   acquiring ─► external        (external work: ready again when it is back)
  │        └─────────┴──────────┴────► failed
  └─► skipped ◄─ waiting, ready, external   (the event is given up)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, SupportsIndex

__all__ = ["ALLOWED", "SETTLED", "CheckedStates", "State"]


class State(IntEnum):
    """Where a module is with an event."""

    IDLE = 0
    """Not yet sure to run."""
    WAITING = 1
    """Sure to run; inputs are missing."""
    READY = 2
    """May start its next step."""
    ACQUIRING = 3
    EXTERNAL = 4
    """Its work is away."""
    RUNNING = 5
    DONE = 6
    FAILED = 7
    """It raised, or one of its inputs failed."""
    SKIPPED = 8
    """It will not run: a filter before it did not pass, or the event was given up."""


ALLOWED: Final[Mapping[State, frozenset[State]]] = {
    State.IDLE: frozenset({State.WAITING, State.SKIPPED}),
    State.WAITING: frozenset({State.READY, State.SKIPPED}),
    State.READY: frozenset({State.ACQUIRING, State.RUNNING, State.FAILED, State.SKIPPED}),
    State.ACQUIRING: frozenset({State.EXTERNAL, State.FAILED}),
    State.EXTERNAL: frozenset({State.READY, State.FAILED, State.SKIPPED}),
    State.RUNNING: frozenset({State.DONE, State.FAILED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.SKIPPED: frozenset(),
}

SETTLED: Final = frozenset({State.DONE, State.FAILED, State.SKIPPED})


class CheckedStates(list[State]):
    """States that refuse a change that the table does not allow, and then change nothing.

    The scheduler writes its states to a plain list, which is cheaper; the tests run whole jobs on these.
    """

    def __setitem__(self, node: SupportsIndex | slice, to: State | Iterable[State]) -> None:
        assert isinstance(to, State)
        assert not isinstance(node, slice)
        before = self[node]
        if to not in ALLOWED[before]:
            raise RuntimeError(f"node {node} cannot change from {before.name} to {to.name}")
        super().__setitem__(node, to)

    def copy(self) -> CheckedStates:
        return CheckedStates(self)
