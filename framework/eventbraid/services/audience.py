"""All listeners of a job as one; a listener that raises is disabled, and the job goes on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from eventbraid.event import EventID
from eventbraid.plan import Plan
from eventbraid.services.listener import Listener

__all__ = ["Audience"]


class Audience(Listener):
    """Tells every listener; false when there is none."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = list(listeners)

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def _disable(self, listener: Listener, error: Exception) -> None:
        self._listeners = [each for each in self._listeners if each is not listener]
        name = type(listener).__name__
        warnings.warn(f"listener {name} raised and is disabled: {error!r}", RuntimeWarning, stacklevel=3)

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        for listener in self._listeners:
            try:
                listener.job_begins(plan, mode, streams)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        for listener in self._listeners:
            try:
                listener.event_begins(event, number, time)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        for listener in self._listeners:
            try:
                listener.step(node, step, number, start, stop, busy)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        for listener in self._listeners:
            try:
                listener.event_ends(event, number, time, failed, passed)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)

    def job_ends(self, seconds: float) -> None:
        for listener in self._listeners:
            try:
                listener.job_ends(seconds)
            except Exception as error:  # noqa: BLE001
                self._disable(listener, error)
