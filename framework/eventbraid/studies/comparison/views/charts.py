"""Draws the points of a study: throughput against events in flight, efficiency, and where the time of an event goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.eventtime import event_time
from eventbraid.studies.comparison.figures import Figures
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.picture import COLOURS, FAINT, INK
from eventbraid.studies.spread import Spread
from eventbraid.studies.units import shown_seconds

__all__ = ["Line", "draw_efficiency", "draw_throughput", "draw_times", "lines"]

PARTS: Final = {"modules": "#0072B2", "network": "#CC79A7", "framework": "#E69F00", "waiting": "#DADCE0"}
PARTS_IN_WORDS: Final = {"network": "models in this process"}
BOUND: Final = "#C5221F"
BEYOND: Final = 1.5
"""A server's plateau above that many times all else is left out: it binds nothing, and would make all else flat."""


@dataclass(frozen=True, slots=True)
class Line:
    """One mode at one distance: a value with its spread for each number of events in flight."""

    name: str
    concurrent: bool
    streams: tuple[int, ...]
    values: tuple[Spread, ...]


def lines(comparison: Comparison, value: Callable[[Figures], Spread]) -> Iterator[Line]:
    """A line of each mode and distance, in the order of the points."""
    found: dict[tuple[str, float | None], list[tuple[Point, Spread]]] = {}
    for point, figures in comparison.figures.items():
        found.setdefault((point.mode, point.distance), []).append((point, value(figures)))
    for (mode, distance), points in found.items():
        name = mode if distance is None else f"{mode}, {shown_seconds(distance)} away"
        streams, values = zip(*((point.streams, each) for point, each in points), strict=True)
        yield Line(name, points[0][0].concurrent, streams, values)


def draw_throughput(comparison: Comparison) -> Any:
    """Events a second against events in flight, with the bounds, as a matplotlib figure."""
    figure, axes = _axes("events in flight", "events/s")
    shown = list(lines(comparison, lambda each: each.events_per_second))
    _draw_lines(axes, shown)
    highest = max(comparison.bound, *(value.most for line in shown for value in line.values))
    if comparison.bound:
        _draw_bound(axes, comparison.bound, "bound of one core")
    for bounds in comparison.bounds():
        if bounds.server and bounds.server < BEYOND * highest:
            away = "" if bounds.distance is None else f", {shown_seconds(bounds.distance)} away"
            _draw_bound(axes, bounds.server, f"server's plateau{away}", ":")
    axes.margins(y=0.06)
    axes.set_ylim(bottom=0)
    _legend(axes)
    return figure


def draw_efficiency(comparison: Comparison) -> Any:
    """The modules' share of a core's time against events in flight, as a matplotlib figure."""
    figure, axes = _axes("events in flight", "CPU time of the modules / wall time [%]")
    _draw_lines(axes, list(lines(comparison, lambda each: Spread.of([100 * each.efficiency]))))
    shares = [100 * each.efficiency for each in comparison.figures.values()]
    axes.set_ylim(0, 1.06 * max(100, *shares))
    axes.axhline(100, color=BOUND, linewidth=1, zorder=1, label="all of one core")
    _legend(axes)
    return figure


def draw_times(comparison: Comparison) -> Any:
    """Where the wall time of an event goes, a bar for each point, as a matplotlib figure."""
    points = list(comparison.runs)
    figure, axes = _axes("milliseconds for each event", "", height=1.5 + 0.34 * len(points))
    times = [event_time(comparison.runs[point]) for point in points]
    left = [0.0] * len(points)
    for part, colour in PARTS.items():
        widths = [1e3 * getattr(each, part) for each in times]
        if any(widths):
            label = PARTS_IN_WORDS.get(part, part)
            axes.barh(range(len(points)), widths, left=left, height=0.66, color=colour, label=label)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(points)), [point.name for point in points])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _legend(axes)
    return figure


def _axes(x: str, y: str, height: float = 4.2) -> tuple[Any, Any]:
    figure_type: Any = need_extra("matplotlib.figure", "plots", "a chart").Figure
    figure = figure_type(figsize=(8.2, height), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x, fontsize=11, color=INK)
    axes.set_ylabel(y, fontsize=11, color=INK)
    axes.tick_params(labelsize=10, colors=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _draw_lines(axes: Any, shown: Sequence[Line]) -> None:
    """With one number of events in flight a mode is a dot; a mode that has one event goes on as a dashed line."""
    for number, line in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        medians = [each.median for each in line.values]
        low = [each.median - each.least for each in line.values]
        high = [each.most - each.median for each in line.values]
        axes.errorbar(
            line.streams, medians, yerr=(low, high), color=colour, marker="o", markersize=5, capsize=3, label=line.name
        )
        if not line.concurrent:
            axes.axhline(medians[0], color=colour, linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
    ticks = sorted({streams for line in shown for streams in line.streams})
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(ticks) / 1.3, max(ticks) * 1.3)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()


def _draw_bound(axes: Any, rate: float, name: str, style: str = "-") -> None:
    axes.axhline(rate, color=BOUND, linewidth=1, linestyle=style, label=name, zorder=1)


def _legend(axes: Any) -> None:
    axes.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9.5)
