"""How all pictures look: simulated lines, published points, equations dotted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from benchmarks.figures.sweep import Curve
from eventbraid.errors import need_extra
from eventbraid.studies.picture import COLOURS, FAINT, INK

__all__ = ["BLUE", "DOTTED", "GREEN", "ORANGE", "PINK", "bandwidth", "line", "panels", "published"]

BLUE, ORANGE, GREEN, PINK = COLOURS[:4]
DOTTED: Final = {"ls": ":", "lw": 1.6, "color": INK}
"""How equations are drawn."""


def panels(
    *titles: str, x: str, ys: Sequence[str], columns: int = 2, width: float = 5.2, height: float = 3.8
) -> tuple[Any, list[Any]]:
    """A matplotlib figure with axes in rows of so many; sizes are those of one of them, in inches."""
    figure_type: Any = need_extra("matplotlib.figure", "plots", "a figure").Figure
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    size = (width * columns + 0.4, height * rows)
    figure = figure_type(figsize=size, facecolor="white", layout="constrained")
    all_axes: list[Any] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in all_axes[len(titles) :]:
        unused.remove()
    del all_axes[len(titles) :]
    for axes, title, y in zip(all_axes, titles, ys, strict=True):
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.set_xlabel(x, fontsize=10, color=INK)
        axes.set_ylabel(y, fontsize=10, color=INK)
        axes.tick_params(labelsize=9, colors=INK)
        axes.grid(color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure, all_axes


def line(axes: Any, curve: Curve, values: Sequence[float], colour: str, label: str, style: str = "-") -> None:
    """What was simulated, a dot for each number of clients."""
    axes.plot(curve.clients, values, style, color=colour, lw=1.4, marker=".", ms=5, label=label)


def published(axes: Any, points: Sequence[tuple[float, float]], colour: str, label: str = "published") -> None:
    """What a paper says, as open diamonds."""
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, "D", ms=8, mfc="none", mec=colour, mew=1.8, ls="none", zorder=5, label=label)


def bandwidth(axes: Any, bits: float) -> None:
    """A second scale on the right, for inputs of so many bits an event."""

    def gigabits(rate: Any) -> Any:
        return rate * bits / 1e9

    def rate(gigabits: Any) -> Any:
        return gigabits * 1e9 / bits

    right = axes.secondary_yaxis("right", functions=(gigabits, rate))
    right.set_ylabel("inputs [Gb/s]", fontsize=10, color=INK)
    right.tick_params(labelsize=9, colors=INK)
