"""A figure: what it simulates, how it is drawn, and which claims it is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curves, Sweep

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a paper; its picture is NAME.png."""

    name: str
    title: str
    sweeps: Mapping[str, Sweep]
    """By the names that `draw` and `rows` know them by."""
    draw: Callable[[Curves], Any]
    """As a matplotlib figure."""
    rows: Callable[[Curves], list[Row]]
