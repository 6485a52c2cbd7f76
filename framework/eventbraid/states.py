"""The states of a module within an event, and the changes that are allowed.

idle ─► waiting ─► ready ─► running ─► done
  │        │        │ ▲        └─────► failed
  │        │        ▼ │
  │        │   acquiring ─► external        (external work: ready again when it is back)
  │        └─────────┴──────────┴────► failed
  └─► skipped
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

__all__ = ["ALLOWED", "SETTLED", "State", "change"]


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
    """It will not run: a filter before it did not pass."""


ALLOWED: Final[Mapping[State, frozenset[State]]] = {
    State.IDLE: frozenset({State.WAITING, State.SKIPPED}),
    State.WAITING: frozenset({State.READY, State.FAILED}),
    State.READY: frozenset({State.ACQUIRING, State.RUNNING, State.FAILED}),
    State.ACQUIRING: frozenset({State.EXTERNAL, State.FAILED}),
    State.EXTERNAL: frozenset({State.READY, State.FAILED}),
    State.RUNNING: frozenset({State.DONE, State.FAILED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.SKIPPED: frozenset(),
}

SETTLED: Final = frozenset({State.DONE, State.FAILED, State.SKIPPED})


def change(states: list[State], node: int, to: State) -> None:
    """Change the state of a node; an illegal change raises and changes nothing."""
    if to not in ALLOWED[states[node]]:
        raise RuntimeError(f"node {node} cannot change from {states[node].name} to {to.name}")
    states[node] = to
