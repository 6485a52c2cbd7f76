"""What was simulated for each line: the sample behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.figures.figure import Figure
from benchmarks.figures.sweep import Curve

__all__ = ["HEADS", "samples"]

HEADS: Final = ("figure", "lines", "clients", "events of all clients")


def samples(figures: Sequence[Figure], found: Mapping[str, Mapping[str, Curve]]) -> list[tuple[str, ...]]:
    """A row for each figure."""
    rows: list[tuple[str, ...]] = []
    for figure in figures:
        results = [each for curve in found[figure.name].values() for each in curve.results]
        clients, events = [each.clients for each in results], [each.events for each in results]
        rows.append(
            (
                figure.title,
                str(len(figure.sweeps)),
                f"{min(clients):,} to {max(clients):,}, {len(results)} points",
                f"{min(events):,} to {max(events):,} a point, {sum(events):,} in all",
            )
        )
    return rows
