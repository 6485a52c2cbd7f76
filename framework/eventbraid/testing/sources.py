"""A source of events that a test writes down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventbraid.event import EventID, Output
from eventbraid.sources import Entry, Source

__all__ = ["ListSource"]


class ListSource(Source):
    """A list of events with products: `ListSource([{"digis": digis}, {"digis": others}])`.

    An event is a mapping from label to product; modules read each product by that label, so a list can
    stand for the modules that would have made them. Events are numbered from 1 unless `ids` are given.
    An event may lack a product that others have, or one of `products`: then it is absent there.
    """

    blocking = False

    def __init__(
        self,
        events: Sequence[Mapping[str, object]],
        ids: Sequence[EventID] | None = None,
        *,
        products: Sequence[str] = (),
    ) -> None:
        self.events = list(events)
        self.ids = list(ids) if ids is not None else [EventID(1, 1, n + 1) for n in range(len(self.events))]
        self._outputs: dict[str, Output[Any]] = {}
        for name in dict.fromkeys([*products, *(name for event in self.events for name in event)]):
            output: Output[Any] = Output[Any]()
            output.name = name
            self._outputs[name] = output
        super().__init__()
        if len(self.ids) != len(self.events):
            self._fault(f"has {len(self.ids)} ids for {len(self.events)} events")

    def outputs(self) -> Iterator[tuple[str, Output[Any]]]:
        return iter(self._outputs.items())

    def count(self) -> int:
        return len(self.events)

    def limited(self, events: int) -> ListSource:
        return type(self)(self.events[:events], self.ids[:events], products=list(self._outputs))

    def partitions(self) -> Iterator[Iterable[Entry]]:
        if self.events:
            yield [Entry(*pair) for pair in zip(self.ids, self.events, strict=True)]
