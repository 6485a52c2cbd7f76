"""A request on its way: from the module that asks, over its tries, to its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eventbraid.errors import ServerError
from eventbraid.serving.backends.base import Request

__all__ = ["Call"]


@dataclass(slots=True, eq=False)
class Call(Request):
    """A request without tensors, as the batcher takes it; `over` where nobody waits for it any more."""

    model: str = ""
    number: int = 0
    asked: float = 0.0
    sent: float = 0.0
    """When the try under way began."""
    deadline: float = 0.0
    tried: int = 0
    failed: frozenset[str] = frozenset()
    """Names of the servers that failed it."""
    place: Any = None
    """The model on the server that has it; None while it waits for one."""
    ended: Callable[[Call], None] = lambda call: None
    """Told that the try under way has ended."""
    error: ServerError | None = None
    """How: None for an answer."""
    asker: Any = None
    """The event that waits for it."""
    over: bool = False
