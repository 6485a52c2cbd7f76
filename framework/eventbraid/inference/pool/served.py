"""A model on a server: what it takes and gives, how fast it answers, and what was asked of it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from eventbraid.inference.account import Account, Statistics
from eventbraid.inference.pool.latency import Latency
from eventbraid.kserve import ModelMetadata
from eventbraid.kserve.shared import output_sizes

if TYPE_CHECKING:
    from eventbraid.inference.pool.endpoint import Endpoint

__all__ = ["Served"]

MOST_SIZES: Final = 1024
"""Kinds of requests whose answers' sizes are remembered: every event may have rows of its own."""


class Served:
    """A model on a server."""

    __slots__ = ("_latency", "_sizes", "account", "before", "endpoint", "key", "metadata", "ready")

    def __init__(self, endpoint: Endpoint, key: tuple[str, str], metadata: ModelMetadata) -> None:
        self.endpoint = endpoint
        self.key = key
        self.metadata = metadata
        self._latency = Latency()
        self._sizes: dict[tuple[int, tuple[str, ...]], dict[str, int]] = {}
        self.ready = True
        self.account = Account()
        self.before: Statistics | None = None
        """What the server said of the model at the start; None where it says nothing."""

    @property
    def name(self) -> str:
        """The server's name."""
        return self.endpoint.name

    @property
    def outstanding(self) -> int:
        """Requests that the server has, of all models."""
        return self.endpoint.outstanding

    def describe(self, metadata: ModelMetadata) -> None:
        """Take what the server says of the model now."""
        self.metadata, self.ready = metadata, True
        self._latency.forget()  # it may be another one than before
        self._sizes.clear()

    def take(self, nbytes: int) -> None:
        """A request of that size is on its way."""
        now = monotonic()
        self.endpoint.take(nbytes, now)
        self._latency.asked(now)

    def took(self, seconds: float) -> None:
        """Take the latency of an answer into account."""
        self.account.latency.add(seconds)
        self._latency.took(seconds)

    @property
    def latency(self) -> float:
        """Seconds that an answer would take, many times over where answers were no good; 0 where none is known."""
        return self._latency.expected(monotonic())

    def output_sizes(self, rows: int, outputs: tuple[str, ...]) -> dict[str, int]:
        """Bytes of each output, all or those named, of a request of so many rows; 0 where nobody can know."""
        key = (rows, outputs)
        sizes = self._sizes.get(key)
        if sizes is None:
            if len(self._sizes) >= MOST_SIZES:
                self._sizes.clear()
            sizes = output_sizes(self.metadata, rows if self.metadata.max_batch else None, outputs)
            self._sizes[key] = sizes
        return sizes

    def failed(self) -> None:
        """An answer was no good: others are asked before."""
        self._latency.failed()

    def did_well(self) -> None:
        """An answer was good."""
        self._latency.did_well()

    def __repr__(self) -> str:
        return f"Served({self.key[0]!r} at {self.name}, {self._latency})"
