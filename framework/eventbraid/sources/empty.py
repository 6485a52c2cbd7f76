"""Events without products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventbraid.event import EventID
from eventbraid.parameters import Parameter
from eventbraid.sources.base import Entry, Source

__all__ = ["EmptySource"]


class EmptySource(Source):
    """`events` events without products, numbered from 1 in run 1, lumi 1, or `per_lumi` to a lumi."""

    blocking = False
    events = Parameter(1, ge=0, doc="how many events")
    per_lumi = Parameter(0, ge=0, doc="events in a luminosity section; 0: all in one")

    def count(self) -> int:
        return self.events

    def partitions(self) -> Iterator[Iterable[Entry]]:
        nothing: dict[str, object] = {}
        size = self.per_lumi or self.events
        for lumi, first in enumerate(range(0, self.events, size or 1), start=1):
            last = min(first + size, self.events)
            yield (Entry(EventID(1, lumi, event + 1), nothing) for event in range(first, last))
