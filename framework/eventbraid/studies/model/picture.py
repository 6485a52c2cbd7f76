"""Draws an estimate: times and rate against the number of clients, for some numbers of GPUs, with their saturation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid.studies.model.estimate import Estimate
from eventbraid.studies.picture import COLOURS, FAINT, INK, save

__all__ = ["Curve", "curves", "draw", "numbers_of_gpus", "reach"]

POINTS: Final = 400


@dataclass(frozen=True, slots=True)
class Curve:
    """What a number of GPUs gives so many clients: arrays of one length."""

    gpus: int
    clients: NDArray[np.float64]
    module_seconds: NDArray[np.float64]
    event_seconds: NDArray[np.float64]
    events_per_second: NDArray[np.float64]
    saturation: tuple[float, float, float, float]
    """Clients, module and event seconds, events a second where they begin to wait for each other."""


def numbers_of_gpus(most: int) -> tuple[int, ...]:
    """From 1 to `most`: all of up to four, else each about as many times the one before."""
    if most <= 4:
        return tuple(range(1, most + 1))
    return tuple(sorted({round(most ** (step / 4)) for step in range(5)}))


def reach(estimate: Estimate) -> float:
    """Clients up to which curves go: half as many again as saturate the GPUs, and all that there are."""
    return max(1.5 * estimate.saturation, 1.1 * estimate.clients, 2.0)


def curves(estimate: Estimate) -> list[Curve]:
    """One for each number of GPUs, each with its saturation point among its clients."""
    return [_curve(estimate, gpus) for gpus in numbers_of_gpus(estimate.farm.gpus)]


def _curve(estimate: Estimate, gpus: int) -> Curve:
    farm, workload = replace(estimate.farm, gpus=gpus), estimate.workload
    point = farm.saturation(workload)
    even = np.linspace(0.0, reach(estimate), POINTS)
    clients = np.sort(np.append(even, point)) if point < even[-1] else even
    figures = (farm.module_seconds, farm.event_seconds, farm.events_per_second)
    module, event, rate = (figure(workload, clients) for figure in figures)
    at = tuple(float(figure(workload, point)) for figure in figures)
    return Curve(gpus, clients, module, event, rate, (point, at[0], at[1], at[2]))


def draw(estimate: Estimate, picture: Path) -> None:
    """Draw it to a file; raises `DataError` where that cannot be written."""
    figure_type: Any = need_extra("matplotlib.figure", "plots", "the picture").Figure
    figure = figure_type(figsize=(12, 4.6), facecolor="white", layout="constrained")
    workload, shown, blocks = estimate.workload, curves(estimate), estimate.farm.streams == 1
    times = ("time of the module", "time of an event") if blocks else ("the module's part", "time between events")
    without = (None, None) if workload.module is None else (workload.module, workload.cpu_only)
    panels = figure.subplots(1, 3)
    for place, axes in enumerate(panels):
        if place < 2:
            _draw_times(axes, shown, place, without[place], times[place])
        else:
            axes.set_title("events/s of all clients", fontsize=11, color=INK)
            for colour, curve in zip(COLOURS, shown, strict=False):
                _draw_curve(axes, curve, curve.events_per_second, curve.saturation[3], colour)
        axes.axvline(estimate.clients, color="#80868B", linestyle=":", linewidth=1.4)
        axes.set_xlim(0, reach(estimate))
        axes.set_ylim(bottom=0)
        _style(axes)
    how = "clients block" if blocks else f"clients have {estimate.farm.streams} events in flight"
    figure.suptitle(f"{estimate.name}: {how}", x=0.01, ha="left", fontsize=15, fontweight="bold", color=INK)
    _draw_legend(figure, panels[-1], estimate.clients)
    save(figure, picture)


def _draw_times(axes: Any, shown: Sequence[Curve], place: int, without: float | None, title: str) -> None:
    """The module's times or the event's, cut where more GPUs would no longer be told apart."""
    values = [(curve.module_seconds, curve.event_seconds)[place] for curve in shown]
    top = 1.3 * max(float(values[-1].max()), without or 0.0, 2 * shown[-1].saturation[place + 1])
    scale, unit = (1.0, "s") if top >= 1 else (1e3, "ms")
    for colour, curve, seconds in zip(COLOURS, shown, values, strict=False):
        _draw_curve(axes, curve, seconds * scale, curve.saturation[place + 1] * scale, colour)
    if without is not None:
        axes.axhline(without * scale, color=INK, linestyle="--", linewidth=1)
        axes.annotate("without servers", (0.02, without * scale), xycoords=("axes fraction", "data"), va="bottom",
                      fontsize=9.5, color=INK)  # fmt: skip
    axes.set_ylim(0, top * scale)
    axes.set_title(f"{title} [{unit}]", fontsize=11, color=INK)


def _draw_curve(axes: Any, curve: Curve, values: NDArray[np.float64], at: float, colour: str) -> None:
    label = "1 GPU" if curve.gpus == 1 else f"{curve.gpus} GPUs"
    axes.plot(curve.clients, values, color=colour, linewidth=2, label=label)
    if curve.saturation[0] <= curve.clients[-1]:
        axes.plot(curve.saturation[0], at, "o", color=colour, markeredgecolor=INK, markersize=7, zorder=5)


def _style(axes: Any) -> None:
    axes.set_xlabel("clients", fontsize=11, color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_legend(figure: Any, axes: Any, clients: int) -> None:
    line: Any = need_extra("matplotlib.lines", "plots", "the picture").Line2D
    handles, _ = axes.get_legend_handles_labels()
    point = line([], [], marker="o", color="white", markeredgecolor=INK, markersize=7, label="saturation")
    here = line([], [], color="#80868B", linestyle=":", label=f"{clients:,} clients")
    figure.legend(handles=[*handles, point, here], frameon=False, fontsize=10.5, loc="outside lower center",
                  ncols=len(handles) + 2)  # fmt: skip
