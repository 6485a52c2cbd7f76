"""Draws a comparison for a slide: the slow mode above, the braided below, one row an event, the core below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from eventbraid.errors import need_extra
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.measurement import Window
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.comparison.views.timeline import Bar, Kind, Panel, panels
from eventbraid.studies.picture import COLOURS, FAINT, INK, save
from eventbraid.studies.units import shown_seconds

__all__ = ["colours_of", "draw", "figure_of", "title_of"]

OTHERS: Final = "#9AA0A6"


def colours_of(shown: Sequence[Panel]) -> Mapping[str, str]:
    """A colour for each of the modules that can be seen, those that take most of the time first."""
    times: dict[str, float] = {}
    for panel in shown:
        for bar in panel.bars:
            times[bar.label] = times.get(bar.label, 0.0) + bar.stop - bar.start
    seen = [label for label, time in times.items() if time > 0.002 * sum(times.values())]
    main = sorted(seen, key=lambda label: -times[label])
    return dict(zip(main, COLOURS, strict=False))


def draw(comparison: Comparison, window: Window, picture: Path) -> None:
    """Draw the last pair of runs to a file; nothing where there are no two modes to be seen."""
    figure = figure_of(comparison, window)
    if figure is not None:
        save(figure, picture)


def figure_of(comparison: Comparison, window: Window) -> Any:
    """The last pair of runs as a matplotlib figure; None where there are no two modes to be seen."""
    pair = comparison.pair()
    if pair is None:
        return None
    figure_type: Any = need_extra("matplotlib.figure", "plots", "the picture").Figure
    above, below = (comparison.runs[point][-1] for point in pair)
    *shown, length = panels(above.steps, below.steps, window)
    colours = colours_of(shown)
    scale, unit = (1e3, "ms") if length < 10 else (1.0, "s")
    row, core, head, foot = 0.215, 0.44, 1.0, 1.15
    heights = [row * max(len(panel.events), 2) + core for panel in shown]
    gap = 0.62
    height = head + sum(heights) + gap + foot
    figure = figure_type(figsize=(11, height), facecolor="white")
    tops = [height - head, height - head - heights[0] - gap]
    for point, panel, top, each in zip(pair, shown, tops, heights, strict=True):
        axes = figure.add_axes((0.085, (top - each) / height, 0.89, each / height))
        _draw_panel(axes, panel, colours, scale, core / row)
        axes.set_xlim(0, length * scale)
        rate = comparison.figures[point].events_per_second.median
        axes.set_title(title_of(point), loc="left", fontsize=12, fontweight="bold", color=INK, pad=5)
        axes.set_title(
            f"{rate:,.0f} events/s, core {panel.busy:.0%} busy",
            loc="right", fontsize=11, color=INK, pad=5,
        )  # fmt: skip
        if point == above.point:
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel(f"time [{unit}]", fontsize=11, color=INK)
    _draw_title(figure, comparison, below.point, height)
    _draw_legend(figure, colours, shown)
    return figure


def title_of(point: Point) -> str:
    """A point as the title of its panel."""
    away = "" if point.distance is None else f", server {shown_seconds(point.distance)} away"
    streams = "1 stream" if point.streams == 1 else f"{point.streams} streams"
    names = {
        "blocking": "Blocking",
        "local": "Blocking, models in process",
        "threads": f"Threads ({streams})",
        "async": f"Braided (async, {streams})",
    }
    return names[point.mode] + away


def _draw_panel(axes: Any, panel: Panel, colours: Mapping[str, str], scale: float, core: float) -> None:
    """Events as rows from above, the core below them."""
    rows = max(len(panel.events), 2)
    place = {event: rows - number - 0.5 for number, event in enumerate(panel.events)}
    for event, middle in place.items():
        mine = [bar for bar in panel.bars if bar.event == event]
        ends = (min(bar.start for bar in mine) * scale, max(bar.stop for bar in mine) * scale)
        axes.plot(ends, (middle, middle), color="#BDC1C6", linewidth=0.9, zorder=1, solid_capstyle="butt")
        _draw_bars(axes, mine, middle, 0.68, colours, scale)
    axes.axhspan(-core, 0, color="#F1F3F4", zorder=0, linewidth=0)
    _draw_bars(axes, panel.core, -core / 2, core * 0.56, colours, scale)
    axes.set_ylim(-core, rows)
    axes.set_yticks([*place.values(), -core / 2], [*(f"event {event + 1}" for event in place), "core,\nall events"])
    axes.tick_params(axis="y", length=0, labelsize=9, colors=INK)
    axes.tick_params(axis="x", labelsize=10, colors=INK)
    axes.grid(axis="x", color=FAINT, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#80868B")


def _draw_bars(
    axes: Any, shown: Iterable[Bar], middle: float, height: float, colours: Mapping[str, str], scale: float
) -> None:
    groups: dict[tuple[str, Kind], list[tuple[float, float]]] = {}
    for bar in shown:
        groups.setdefault((bar.label, bar.kind), []).append((bar.start * scale, (bar.stop - bar.start) * scale))
    for (label, kind), stretches in groups.items():
        colour = colours.get(label, OTHERS)
        size = height if kind != "waiting" else height / 2
        axes.broken_barh(stretches, (middle - size / 2, size), **_look(kind, colour))


def _look(kind: Kind, colour: str) -> dict[str, Any]:
    if kind == "cpu":
        return {"facecolor": colour, "edgecolor": colour, "linewidth": 0.4, "zorder": 3}
    if kind == "external":
        pale, line = _tint(colour, 0.12), _tint(colour, 0.45)
        return {"facecolor": pale, "edgecolor": line, "linewidth": 0.6, "hatch": "////", "zorder": 2}
    return {"facecolor": _tint(colour, 0.3), "linewidth": 0, "zorder": 2}


def _tint(colour: str, strength: float) -> str:
    """The colour on white paper."""
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(255 - strength * (255 - part)):02X}" for part in parts)


def _draw_title(figure: Any, comparison: Comparison, below: Point, height: float) -> None:
    gain, line = comparison.speed_up(below), 1 - 0.36 / height
    title = comparison.job
    if gain is not None:
        spread = f" ({gain.least:.1f} to {gain.most:.1f})" if f"{gain.least:.1f}" != f"{gain.most:.1f}" else ""
        title += f": {gain.median:.1f}\N{MULTIPLICATION SIGN} the events per second{spread}"
    figure.text(0.02, line, title, fontsize=17, fontweight="bold", color=INK, va="center")
    identical = comparison.identical and bool(comparison.first.files)
    same = "products identical, bit for bit" if identical else "" if comparison.identical else "PRODUCTS DIFFER"
    colour = "#188038" if identical else "#C5221F"
    figure.text(0.975, line, same, fontsize=12, ha="right", va="center", color=colour)


def _draw_legend(figure: Any, colours: Mapping[str, str], shown: Sequence[Panel]) -> None:
    patch: Any = need_extra("matplotlib.patches", "plots", "the picture").Patch
    handles = [patch(color=colour, label=label) for label, colour in colours.items()]
    left = {kind: {bar.label for panel in shown for bar in panel.bars if bar.kind == kind} for kind in get_args(Kind)}
    if left["cpu"] - colours.keys() and len(colours) == len(COLOURS):
        handles.append(patch(color=OTHERS, label="other modules"))
    if left["external"]:
        handles.append(patch(**_look("external", "#5F6368"), label="external work"))
    waiting = sum(bar.stop - bar.start for panel in shown for bar in panel.bars if bar.kind == "waiting")
    if waiting > 0.02 * sum(bar.stop - bar.start for panel in shown for bar in panel.bars):
        handles.append(patch(**_look("waiting", "#5F6368"), label="module waits"))
    columns = len(handles) if len(handles) <= 7 else (len(handles) + 1) // 2
    figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=10.5,
                  handlelength=1.5, columnspacing=1.8, bbox_to_anchor=(0.53, 0.0))  # fmt: skip
