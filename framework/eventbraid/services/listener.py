"""What a listener may be told. Times are those of `time.perf_counter`, in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from eventbraid.event import EventID
from eventbraid.plan import Plan

__all__ = ["Listener"]


class Listener:
    """Derive and override what is of interest; a listener that raises is disabled and reported as a warning."""

    steps_of: Sequence[str] = ()
    """The final step of each node, set before the job begins."""

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        """Events are about to be read."""

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        """An event was read; `number` counts from 0 in the order of reading."""

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        """A step of a module ended that was told on its own; `walked` tells of several at once.

        `busy` is the part of it, in seconds, for which the module had the core until it first waited;
        for external work it is 0.
        """

    def walked(self, number: int, nodes: Sequence[int], stamps: Sequence[float]) -> None:
        """Final steps of one event that followed each other without waiting.

        Node n of them had the core from stamps[n] to stamps[n + 1]; both sequences are reused after the call.
        """
        for node, start, stop in zip(nodes, stamps, stamps[1:], strict=False):
            self.step(node, self.steps_of[node], number, start, stop, stop - start)

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        """An event is over."""

    def job_ends(self, seconds: float) -> None:
        """All events are over, after so many seconds on the event loop."""
