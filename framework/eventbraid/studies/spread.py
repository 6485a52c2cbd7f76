"""How values that were measured lie around their median."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Spread", "quantile"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values and their extremes."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """The value below which that fraction of the ordered values lies; 0 of none."""
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)] if ordered else 0.0
