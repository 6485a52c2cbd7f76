"""Where an event in flight is."""

from __future__ import annotations

from dataclasses import dataclass

from eventbraid.event import EventID

__all__ = ["Whereabouts"]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What an event in flight waits for, or where it runs."""

    event: EventID
    number: int
    """In the order in which events were read, from 0."""
    label: str
    """Of the module."""
    step: str
    """What the module does: "produce", "acquire", "external work" and so on."""
    since: float
    """When that began, on the clock of `time.perf_counter`."""
    server: str
    """The server that is asked, where there is one; else empty."""
