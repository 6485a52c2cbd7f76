"""B Fig. 6: DeepCalo on one GPU, with and without dynamic batching."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from benchmarks.figures import claims, style
from benchmarks.figures.figure import Figure
from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curves, Sweep
from eventbraid.studies.simulation.published import IMAGE, deepcalo

__all__ = ["BITS", "DEEPCALO"]

BITS: Final = 5 * IMAGE * 8
"""Of an event's inputs."""
LINK: Final = 3.9e9
"""Bits a second at which the paper's throughput peaked: B 5.3.1."""
FEW: Final = (1, 2, 5, 10, 20, 30, 50, 100, 200)
MANY: Final = (*FEW, 400, 600, 1000)
QUICK: Final = (1, 50, 200, 1000)
EVENTS: Final = 60
LOOKS: Final = {
    "alone": ("alone", style.BLUE, "-"),
    "joined": ("dynamic batching, five executions", style.ORANGE, "-"),
    "one": ("dynamic batching, one execution", style.GREEN, "--"),
}


def draw(curves: Curves) -> Any:
    """Throughput, with the bandwidth of the inputs on the right."""
    figure, (axes,) = style.panels("DeepCalo, 5 rows an event, one V100", x="clients", ys=["events/s"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name, (label, colour, dashes) in LOOKS.items():
        style.line(axes, curves[name], curves[name].rates, colour, f"simulated, {label}", dashes)
    alone, few, many = (each.published for each in (claims.DEEPCALO, claims.JOINED_200, claims.JOINED_1000))
    style.published(axes, [(50, alone), (200, alone)], style.BLUE)
    style.published(axes, [(200, few), (1000, many)], style.ORANGE, "")
    axes.legend(frameon=False, fontsize=8.5)
    style.bandwidth(axes, BITS)
    return figure


def rows(curves: Curves) -> list[Row]:
    """The plateau alone, and what dynamic batching makes of it."""
    alone = curves["alone"].plateau
    few, many = (curves["joined"].at(clients).events_per_second for clients in (200, 1000))
    return [
        Row(claims.DEEPCALO, alone),
        Row(claims.GAIN_200, few / alone),
        Row(claims.GAIN_1000, many / alone),
        Row(claims.JOINED_200, few),
        Row(claims.JOINED_1000, many),
        Row(claims.JOINED_ONE_200, curves["one"].at(200).events_per_second),
        Row(claims.JOINED_LINK_1000, curves["link"].at(1000).events_per_second),
    ]


DEEPCALO: Final = Figure(
    "b-fig6",
    "B Fig. 6: DeepCalo on a V100",
    {
        "alone": Sweep(partial(deepcalo, dynamic=False, events=EVENTS), FEW, (1, 50, 200)),
        "joined": Sweep(partial(deepcalo, dynamic=True, events=EVENTS), MANY, QUICK),
        "one": Sweep(partial(deepcalo, dynamic=True, instances=1, events=EVENTS), MANY, QUICK),
        "link": Sweep(partial(deepcalo, dynamic=True, bandwidth=LINK, events=EVENTS), (1000,), (1000,)),
    },
    draw,
    rows,
)
