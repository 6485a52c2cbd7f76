"""B Fig. 7: ResNet-50 on 1, 4 and 8 GPUs."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from benchmarks.figures import claims, style
from benchmarks.figures.figure import Figure
from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curves, Sweep
from eventbraid.studies.simulation.published import PICTURE, resnet50

__all__ = ["BITS", "RESNET50"]

BITS: Final = 10 * PICTURE * 8
"""Of an event's inputs."""
CLIENTS: Final = {
    1: (1, 2, 4, 6, 8, 10, 12, 16, 20),
    4: (4, 8, 16, 24, 32, 40, 48, 64, 80),
    8: (8, 16, 32, 48, 64, 80, 96, 128, 160),
}
LOADED: Final = 10
"""Clients that load one GPU: B 5.2.3."""
LOOKS: Final = {1: style.BLUE, 4: style.ORANGE, 8: style.GREEN}


def draw(curves: Curves) -> Any:
    """Throughput, with the bandwidth of the inputs on the right."""
    figure, (axes,) = style.panels("ResNet-50, 10 rows an event, T4s", x="clients", ys=["events/s"])
    for gpus, colour in LOOKS.items():
        label = f"simulated, {gpus} GPU{'s' if gpus > 1 else ''}"
        style.line(axes, curves[str(gpus)], curves[str(gpus)].rates, colour, label)
        name = "published plateaus" if gpus == 1 else ""
        style.published(axes, [(LOADED * gpus, claims.RESNET50[gpus].published)], colour, name)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8.5)
    style.bandwidth(axes, BITS)
    return figure


def rows(curves: Curves) -> list[Row]:
    """Plateaus."""
    return [Row(claim, curves[str(gpus)].plateau) for gpus, claim in claims.RESNET50.items()]


RESNET50: Final = Figure(
    "b-fig7",
    "B Fig. 7: ResNet-50 on T4s",
    {
        str(gpus): Sweep(partial(resnet50, gpus), clients, (clients[0], clients[4], clients[-1]))
        for gpus, clients in CLIENTS.items()
    },
    draw,
    rows,
)
