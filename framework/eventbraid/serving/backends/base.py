"""What a back end gives: copies of a model, each of which executes one batch of requests at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol, TypeAlias

from eventbraid.kserve import Tensors

__all__ = ["Instance", "Parameter", "Reply", "Request"]

Parameter: TypeAlias = bool | int | float | str


@dataclass(slots=True)
class Reply:
    """An answer to a request: its outputs, or what went wrong."""

    outputs: Tensors = field(default_factory=dict)
    error: Exception | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    final: bool = True
    """No other one comes to the same request."""

    @property
    def nbytes(self) -> int:
        """Of its tensors; of text only those of the references to it."""
        return sum(each.nbytes for each in self.outputs.values())


@dataclass(slots=True, eq=False)
class Request:
    """A request to a model that waits or is executed. Times are those of `perf_counter`, in seconds."""

    inputs: Tensors
    rows: int = 1
    wanted: tuple[str, ...] = ()
    """The outputs that are asked for; none: all."""
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    priority: int = 0
    """1 is the highest; 0: the model's default."""
    timeout: float = 0.0
    """For how long it may wait; 0: as the model says."""
    sequence: int | str = 0
    """The number or name of the sequence that it belongs to; 0: none."""
    send: Callable[[Reply | None], None] | None = None
    """Takes the answers of a decoupled model as they come, from any thread, and None after the last one."""
    since: float = field(default_factory=perf_counter)
    """When it came."""
    cancelled: bool = False
    """Nobody waits for the answer any more; set while it waits, or is executed."""


class Instance(Protocol):
    """One copy of a model, which executes one batch at a time, in a thread of its own."""

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """The answer to each request, in order; empty where the model answers through `Request.send`.

        An exception is the answer to all of them.
        """
        ...

    def close(self) -> None:
        """Release what it holds; nothing is executed any more."""
        ...
