"""Where products leave: an output keeps some products of the events that it selects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventbraid.event import EventID, PathResult
from eventbraid.parameters import Configurable

__all__ = ["OutputModule", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """What an output keeps of one event: products by label, None where one is absent."""

    id: EventID
    products: Mapping[str, Any]
    path_results: Mapping[str, PathResult]


class OutputModule(Configurable):
    """Writes some products of the events that passed one of the selected paths, in the order of the events.

    `keep` names products as inputs do; `select` names paths, none meaning all events. A kept product that
    no path needed is made for the selected events. `open`, `write` and `close` are called off the loop,
    never two at once; a file must appear under its name only when it is complete. `paths` has the names of
    the job's paths from before `open`.
    """

    paths: tuple[str, ...] = ()

    def __init__(self, *, keep: Sequence[str] = (), select: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(**settings)
        self.keep = self._names("keep", keep)
        self.select = self._names("select", select)

    def _names(self, what: str, names: object) -> tuple[str, ...]:
        if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) for n in names):
            self._fault(f"{what} must be a list of names, not {names!r}")
            return ()
        return tuple(names)

    def to(self, path: str | Path) -> OutputModule | None:
        """The same output to another file, or None where it writes no file."""
        return None

    def open(self) -> None:
        """Called once before the first event."""

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Take the next rows; raises `DataError` if a product cannot be written."""
        raise NotImplementedError

    def close(self) -> None:
        """Called once after the last row: make the file appear."""

    def discard(self) -> None:
        """Called instead of `close` when the job was cancelled: leave nothing that looks complete."""
