"""All listeners of a job as one; a listener that raises is disabled, and the job goes on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from eventbraid.event import EventID
from eventbraid.plan import Plan
from eventbraid.services.listener import Listener

__all__ = ["Audience"]


class Audience:
    """Tells each listener what it overrides; `steps` and `events` say whether anybody wants to know of those."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._all = list(listeners)
        self._steppers = self._who_override("step", "walked")
        self._enders = self._who_override("event_ends")
        self._beginners = self._who_override("event_begins")
        self.steps = bool(self._steppers)
        self.events = bool(self._beginners or self._enders)

    def __bool__(self) -> bool:
        return bool(self._all)

    def _who_override(self, *names: str) -> list[Listener]:
        return [
            each
            for each in self._all
            if any(getattr(type(each), name) is not getattr(Listener, name) for name in names)
        ]

    def _disable(self, listener: Listener, error: Exception) -> None:
        self._all = [each for each in self._all if each is not listener]
        self._steppers = [each for each in self._steppers if each is not listener]
        self._beginners = [each for each in self._beginners if each is not listener]
        self._enders = [each for each in self._enders if each is not listener]
        name = type(listener).__name__
        warnings.warn(f"listener {name} raised and is disabled: {error!r}", RuntimeWarning, stacklevel=4)

    def _tell(self, listeners: list[Listener], name: str, *what: Any) -> None:
        for listener in listeners:
            try:
                getattr(listener, name)(*what)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        """See `Listener.job_begins`."""
        for listener in self._all:
            listener.steps_of = tuple(node.step for node in plan.nodes)
        self._tell(self._all, "job_begins", plan, mode, streams)

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        """See `Listener.event_begins`."""
        self._tell(self._beginners, "event_begins", event, number, time)

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        """See `Listener.step`."""
        for listener in self._steppers:
            try:
                listener.step(node, step, number, start, stop, busy)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def walked(self, number: int, nodes: Sequence[int], stamps: Sequence[float]) -> None:
        """See `Listener.walked`."""
        for listener in self._steppers:
            try:
                listener.walked(number, nodes, stamps)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        """See `Listener.event_ends`."""
        self._tell(self._enders, "event_ends", event, number, time, failed, passed)

    def job_ends(self, seconds: float) -> None:
        """See `Listener.job_ends`."""
        self._tell(self._all, "job_ends", seconds)
