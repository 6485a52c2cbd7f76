"""Draws a study: rate and module time against the number of clients, with the model beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from eventbraid.errors import need_extra
from eventbraid.studies.picture import COLOURS, INK, save
from eventbraid.studies.scale.scaling import Scaling

__all__ = ["draw"]


def draw(scaling: Scaling, picture: Path) -> None:
    """Draw it to a file; raises `DataError` where that cannot be written."""
    figure_type: Any = need_extra("matplotlib.figure", "plots", "the picture").Figure
    figure = figure_type(figsize=(11, 4.4), facecolor="white", layout="constrained")
    rates, times = figure.subplots(1, 2)
    for place, gpus in enumerate(scaling.gpus):
        colour = COLOURS[place % len(COLOURS)]
        points = scaling.of(gpus)
        clients = [point.clients for point in points]
        name = "measured" if gpus is None else f"{gpus} GPU{'s' if gpus > 1 else ''}"
        rates.plot(clients, [point.events_per_second for point in points], "o", color=colour, label=name)
        times.plot(clients, [1e3 * point.module_seconds for point in points], "o", color=colour, label=name)
        if points and scaling.expected(points[0]) is not None:
            every = [replace(points[0], clients=number) for number in range(1, max(clients) + 1)]
            lines = [expected for each in every if (expected := scaling.expected(each)) is not None]
            numbers = [each.clients for each in every]
            rates.plot(numbers, [each.events_per_second for each in lines], color=colour, lw=1)
            if scaling.streams == 1:
                times.plot(numbers, [1e3 * (each.module_seconds or 0.0) for each in lines], color=colour, lw=1)
    for axes, title in ((rates, "events/s of all clients"), (times, "time of the modules with external work, ms")):
        axes.set_title(title, fontsize=11, color=INK)
        axes.set_xlabel("clients")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    rates.legend(frameon=False, title="points measured, lines the model")
    figure.suptitle(scaling.job, color=INK)
    save(figure, picture)
