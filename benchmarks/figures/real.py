"""The papers' setups with real processes: measured beside a simulation of just that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.figures import style
from benchmarks.figures.rows import number
from benchmarks.figures.setups import Setup
from benchmarks.figures.sweep import Curve
from eventbraid.studies.scale.point import Point
from eventbraid.studies.simulation import Result, Study, sweep
from eventbraid.studies.simulation.reality import asking_seconds, calibrated, enact

__all__ = ["HEADS", "Measured", "draw", "measure", "table"]

HEADS: Final = (
    *("figure", "line", "scale", "clients", "events/s simulated", "measured", "ratio"),
    *("module simulated", "measured", "ratio"),
)
FINER: Final = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24)
"""Clients of the simulated lines of the picture."""
COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """A setup's points as measured, and the line that was simulated."""

    setup: Setup
    study: Study
    """That was simulated: the setup's, as one client has measured it."""
    points: tuple[Point, ...]
    beside: Curve
    """For the clients of the points."""
    line: Curve

    def module(self, result: Result) -> float:
        """The simulated time of the module that asks, in seconds."""
        return asking_seconds(self.study, result)


def measure(setup: Setup) -> Measured:
    """Run it with real processes, and simulate it with what one client measured of its way."""
    points = enact(setup.scaled, setup.clients).points
    study = calibrated(setup.scaled, points[0])
    beside, line = (
        Curve(sweep(study, clients))
        for clients in (setup.clients, [each for each in FINER if each <= max(setup.clients)])
    )
    return Measured(setup, study, points, beside, line)


def table(found: Sequence[Measured]) -> list[tuple[str, ...]]:
    """A row for each point, with `HEADS`."""
    return [
        (
            *(each.setup.named if point is each.points[0] else ("", "", "")),
            str(point.clients),
            *_compared(result.events_per_second, point.events_per_second, 1, ""),
            *_compared(each.module(result), point.module_seconds, 1e3, " ms"),
        )
        for each in found
        for point, result in zip(each.points, each.beside.results, strict=True)
    ]


def draw(found: Sequence[Measured]) -> Any:
    """A panel for each setup, as a matplotlib figure."""
    names = [f"{each.setup.figure}: {each.setup.what}" for each in found]
    ys = ["module's time [ms]" if each.setup.module else "events/s" for each in found]
    figure, all_axes = style.panels(*names, x="clients", ys=ys, columns=COLUMNS, width=3.4, height=2.9)
    for each, axes in zip(found, all_axes, strict=True):
        if each.setup.module:
            simulated = [1e3 * each.module(result) for result in each.line.results]
            measured = [1e3 * point.module_seconds for point in each.points]
        else:
            simulated, measured = each.line.rates, [point.events_per_second for point in each.points]
        style.line(axes, each.line, simulated, style.BLUE, "simulated")
        clients = [point.clients for point in each.points]
        axes.plot(clients, measured, "o", ms=7, mfc="none", mec=style.ORANGE, mew=1.6, ls="none", label="measured")
        axes.set_ylim(bottom=0)
    all_axes[0].legend(frameon=False, fontsize=8.5)
    return figure


def _compared(simulated: float, measured: float, factor: float, unit: str) -> tuple[str, str, str]:
    ours, theirs = (f"{number(factor * each, 3)}{unit}" for each in (simulated, measured))
    return ours, theirs, f"{measured / simulated:.2f}"
