"""The papers' setups with real processes: measured beside a simulation of just that, and its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.figures import style
from benchmarks.figures.rows import number
from benchmarks.figures.setups import Setup
from benchmarks.figures.sweep import Curve
from eventbraid.studies.scale.point import Point
from eventbraid.studies.simulation import Result, Study, simulate, sweep
from eventbraid.studies.simulation.reality import enact

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
    way: float
    """Seconds that a request takes beside the emulated network and GPU, as one client saw it."""
    points: tuple[Point, ...]
    beside: tuple[Result, ...]
    """For the clients of the points."""
    line: Curve

    def module(self, result: Result) -> float:
        """The simulated time of the module that asks, in seconds."""
        return result.modules[self.setup.asking[0]].mean


def measure(setup: Setup) -> Measured:
    """Run it with real processes, and simulate it."""
    study = setup.scaled
    points = enact(study, setup.clients).points
    place, requests = setup.asking
    alone = simulate(replace(study, clients=1)).modules[place].mean
    way = max(0.0, points[0].module_seconds - alone) / requests
    slower = farther(study, way)
    line = sweep(slower, [each for each in FINER if each <= max(setup.clients)])
    return Measured(setup, way, points, sweep(slower, [each.clients for each in points]), Curve(line))


def farther(study: Study, seconds: float) -> Study:
    """The same with a longer way of every request."""
    (server,) = study.servers
    network = replace(server.network, latency=server.network.latency + seconds)
    return replace(study, servers=(replace(server, network=network),))


def table(found: Sequence[Measured]) -> list[tuple[str, ...]]:
    """A row for each point, with `HEADS`."""
    return [
        (
            *(each.setup.named if result is each.beside[0] else ("", "", "")),
            str(point.clients),
            *_compared(result.events_per_second, point.events_per_second, 1, ""),
            *_compared(each.module(result), point.module_seconds, 1e3, " ms"),
        )
        for each in found
        for point, result in zip(each.points, each.beside, strict=True)
    ]


def draw(found: Sequence[Measured]) -> Any:
    """A panel for each setup, as a matplotlib figure."""
    names = [f"{each.setup.figure}: {each.setup.what}" for each in found]
    ys = ["module's time [ms]" if each.setup.module else "events/s" for each in found]
    figure, all_axes = style.panels(*names, x="clients", ys=ys, columns=COLUMNS, width=3.4, height=2.9)
    for each, axes in zip(found, all_axes, strict=True):
        measured = [
            1e3 * point.module_seconds if each.setup.module else point.events_per_second for point in each.points
        ]
        times = [1e3 * each.module(result) for result in each.line.results]
        style.line(axes, each.line, times if each.setup.module else each.line.rates, style.BLUE, "simulated")
        axes.plot([point.clients for point in each.points], measured, "o", ms=7, mfc="none", mec=style.ORANGE, mew=1.6,
                  label="measured, real processes")  # fmt: skip
        axes.set_ylim(bottom=0)
    all_axes[0].legend(frameon=False, fontsize=8.5)
    return figure


def _compared(simulated: float, measured: float, factor: float, unit: str) -> tuple[str, str, str]:
    ours, theirs = (f"{number(factor * each, 3)}{unit}" for each in (simulated, measured))
    return ours, theirs, f"{measured / simulated:.2f}"
