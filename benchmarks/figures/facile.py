"""B Fig. 5: FACILE offline, on 1 to 24 GPUs."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from benchmarks.figures import claims, style
from benchmarks.figures.figure import Figure
from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curve, Curves, Sweep
from eventbraid.studies.simulation import Study
from eventbraid.studies.simulation.published import CHANNEL, facile

__all__ = ["BITS", "FACILE"]

BITS: Final = 16_000 * CHANNEL * 8
"""Of an event's inputs."""
LINK: Final = 70e9
"""Bits a second of all clients together, which 24 GPUs met: B 5.2.1."""
FULL: Final = 0.99
"""The share of its plateau at which a server counts as saturated."""
CLIENTS: Final = {
    1: (1, 5, 10, 20, 30, 40, 50, 60, 80, 100, 150),
    4: (5, 20, 50, 100, 150, 200, 250, 300, 400, 500, 600),
    8: (10, 50, 100, 200, 300, 400, 500, 600, 800, 1000),
    24: (200, 500, 1000, 1500, 2000),
}
LOOKS: Final = {1: style.BLUE, 4: style.ORANGE, 8: style.GREEN, 24: style.PINK}


def _study(gpus: int, clients: int) -> Study:
    return facile(gpus, clients, events=30, bandwidth=LINK if gpus == 24 else None)


def _saturated(curve: Curve) -> float:
    """The fewest clients that load the GPUs, between those that were simulated in proportion."""
    wanted, before = FULL * curve.plateau, (0.0, 0.0)
    for clients, rate in zip(curve.clients, curve.rates, strict=True):
        if rate >= wanted:
            return before[0] + (clients - before[0]) * (wanted - before[1]) / (rate - before[1])
        before = (float(clients), rate)
    raise AssertionError("a curve reaches its plateau")


def draw(curves: Curves) -> Any:
    """Throughput, with the bandwidth of the inputs on the right."""
    figure, (axes,) = style.panels("FACILE, 16,000 rows an event", x="clients", ys=["events/s"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    for gpus, colour in LOOKS.items():
        label = f"{gpus} GPU{'s' if gpus > 1 else ''}{', 70 Gb/s' if gpus == 24 else ''}"
        style.line(axes, curves[str(gpus)], curves[str(gpus)].rates, colour, f"simulated, {label}")
    for gpus, claim in claims.FACILE.items():
        name = "published plateaus" if gpus == 1 else ""
        clients = {1: 50, 4: claims.FACILE_LOADED.published}.get(gpus, CLIENTS[gpus][-1])
        style.published(axes, [(clients, claim.published)], LOOKS[gpus], name)
    style.published(axes, [(2000, claims.FACILE_LINK.published * 1e9 / BITS)], LOOKS[24], "")
    axes.legend(frameon=False, fontsize=8.5)
    style.bandwidth(axes, BITS)
    return figure


def rows(curves: Curves) -> list[Row]:
    """Plateaus, the network's, and where that of four GPUs begins."""
    return [
        *(Row(claim, curves[str(gpus)].plateau) for gpus, claim in claims.FACILE.items()),
        Row(claims.FACILE_LINK, curves["24"].plateau * BITS / 1e9),
        Row(claims.FACILE_LOADED, _saturated(curves["4"])),
    ]


FACILE: Final = Figure(
    "b-fig5",
    "B Fig. 5: FACILE on V100s",
    {
        str(gpus): Sweep(partial(_study, gpus), clients, (clients[0], clients[len(clients) // 2], clients[-1]))
        for gpus, clients in CLIENTS.items()
    },
    draw,
    rows,
)
