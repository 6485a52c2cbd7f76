"""An output that a test reads back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventbraid.outputs.base import OutputModule, Row

__all__ = ["ListOutput"]


class ListOutput(OutputModule):
    """Keeps its rows in `rows`; `closed` and `discarded` say how it ended."""

    def __init__(self, *, keep: Sequence[str] = (), select: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(keep=keep, select=select, **settings)
        self.rows: list[Row] = []
        self.closed = self.discarded = False

    def write(self, rows: Sequence[Row]) -> None:
        self.rows.extend(rows)

    def close(self) -> None:
        self.closed = True

    def discard(self) -> None:
        self.discarded = True
