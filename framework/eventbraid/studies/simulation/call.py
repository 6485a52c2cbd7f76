"""A request on its way: from the module that asks, over its tries, to its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eventbraid.errors import ServerError
from eventbraid.kserve import Tensors

__all__ = ["Call"]


@dataclass(slots=True, eq=False)
class Call:
    """A request without tensors, as the batcher takes it."""

    inputs: Tensors
    model: str
    rows: int
    number: int
    asked: float
    deadline: float
    asker: Any
    """The event that waits for it."""
    ended: Callable[[Call], None]
    """Told that the try under way has ended."""
    tried: int = 0
    failed: frozenset[str] = frozenset()
    """Names of the servers that failed it."""
    place: Any = None
    """The model on the server that has it; None while it waits for one."""
    sent: float = 0.0
    """When the try under way began."""
    since: float = 0.0
    """When it came to its server."""
    cancelled: bool = False
    """Its server need not answer any more."""
    error: ServerError | None = None
    """How the try ended: None for an answer."""
    over: bool = False
    """Nobody waits for it any more."""
    priority: int = 0
    timeout: float = 0.0
