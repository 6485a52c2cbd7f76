"""Where events enter: a source declares its products and yields partitions of entries."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from eventbraid.event import EventID, Output
from eventbraid.parameters import Configurable

__all__ = ["Entry", "Source"]


class Entry(NamedTuple):
    """One event of a source: its identity, and its products by the names of the source's outputs."""

    id: EventID
    products: Mapping[str, object] = MappingProxyType({})


class Source(Configurable):
    """Where events come from. Modules read its outputs by their bare names.

    Where `blocking` is true, a partition is fetched in a thread, one ahead of what is being processed, so
    that reading a file does not stall the events in flight; going through a partition must be cheap.
    """

    blocking: ClassVar[bool] = True

    def _take(self, settings: dict[str, Any]) -> None:
        for name, output in self._declared(Output):  # those of a file or a list may have any name, `count` too
            setattr(self, name, copy.copy(output))

    def outputs(self) -> Iterator[tuple[str, Output[Any]]]:
        """Every product that the source declares, with its name."""
        return self._declared(Output)

    def count(self) -> int | None:
        """How many events there are, if that is known without reading them."""
        return None

    def limited(self, events: int) -> Source | None:
        """The same source with that many events, or None where it has no parameter `events`."""
        if "events" in dict(self.parameters()):
            return self.remake(events=events)
        return None

    @abstractmethod
    def partitions(self) -> Iterator[Iterable[Entry]]:
        """The events in order, some at a time; raises `DataError` naming file and entry."""
        raise NotImplementedError
