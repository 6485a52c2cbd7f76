"""A Fig. 5: the time of the module that asks, before and after four GPUs are full."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Literal

from benchmarks.figures import claims, style
from benchmarks.figures.figure import Figure
from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curve, Curves, Sweep, spread
from eventbraid.studies.model import Workload
from eventbraid.studies.simulation import Study
from eventbraid.studies.simulation.published import OTHER_MODULES, PREPROCESSING, protodune, protodune_scaling

__all__ = ["PROTODUNE"]

GPUS: Final = 4
MODULE_ON_CPU: Final = 220.0
"""Seconds: A 3.1."""
MODULE: Final = 1
"""The module that asks, of the two that a client has."""
EVENTS: Final = {235: 4, 1693: 6}
"""Of each client, by the rows of a request."""
SMALL: Final = (1, 50, 100, 150, 175, 200, 225, 250, 300, 350, 400)
LARGE: Final = (1, 50, 100, 150, 200, 225, 250, 275, 300, 325, 350, 375, 400)
FEWER: Final = (100, 200, 250, 300, 350, 400)
QUICK: Final = (1, 50, 200, 400)


def _study(rows: Literal[235, 1693], clients: int, *, dynamic: bool = False, share: float = 0.2) -> Study:
    return spread(protodune(rows, clients, gpus=GPUS, dynamic=dynamic, events=EVENTS[rows]), share)


def _knee(curve: Curve) -> float:
    return curve.knee(curve.modules(MODULE))


def draw(curves: Curves) -> Any:
    """Left small and large requests, right large ones with and without dynamic batching."""
    figure, (left, right) = style.panels(
        "without dynamic batching", "1693 rows a request", x="clients", ys=["module's time [s]"] * 2
    )
    for axes, shown in (
        (left, (("235", "235 rows", style.BLUE), ("1693", "1693 rows", style.ORANGE))),
        (right, (("1693", "alone", style.ORANGE), ("joined", "dynamic batching", style.GREEN))),
    ):
        for name, label, colour in shown:
            style.line(axes, curves[name], curves[name].modules(MODULE), colour, f"simulated, {label}")
        for rows in (235, 1693) if axes is left else (1693,):
            scaling, numbers = protodune_scaling(rows), range(1, 401)
            label = "Eq. 4" if rows == 1693 else "_"
            axes.plot(numbers, [scaling.module(each, GPUS) for each in numbers], label=label, **style.DOTTED)
        axes.set_ylim(bottom=0)
    large = (claims.FLAT_LARGE.published, claims.MODULE.published)
    style.published(left, [(claims.FLAT_SMALL.published, large[1] + claims.BATCHES.published)], style.BLUE, "")
    style.published(left, [large], style.ORANGE, "published: flat until")
    style.published(right, [large], style.ORANGE, "published: flat until")
    left.legend(frameon=False, fontsize=8.5)
    right.legend(frameon=False, fontsize=8.5)
    return figure


def rows(curves: Curves) -> list[Row]:
    """Of the simulation, and of Eqs. 2 and 4 with the same inputs."""
    small, large, joined = (curves[name] for name in ("235", "1693", "joined"))
    flat, scaling = large.at(50), protodune_scaling(1693)
    module, event = flat.modules[MODULE].mean, flat.event.mean
    equation = Workload(
        other=OTHER_MODULES,
        module=MODULE_ON_CPU,
        packing=PREPROCESSING,
        gpu=scaling.gpu,
        travel=scaling.latency - PREPROCESSING,
    )
    by_equation = equation.module_speed_up, equation.cpu_only / equation.ideal
    loaded = {name: each.at(400).servers["t4"].rows_per_second for name, each in curves.items()}
    return [
        Row(claims.FLAT_SMALL, _knee(small)),
        Row(claims.FLAT_LARGE, _knee(large)),
        Row(claims.FLAT_EVEN, _knee(curves["even"])),
        Row(claims.FLAT_UNEVEN, _knee(curves["uneven"])),
        Row(claims.FLAT_EQUATION, scaling.saturation(GPUS)),
        Row(claims.RATIO, _knee(large) / GPUS),
        Row(claims.MODULE, module),
        Row(claims.EVENT, event),
        Row(claims.BATCHES, small.at(50).modules[MODULE].mean - module),
        Row(claims.MODULE_FASTER, MODULE_ON_CPU / module),
        Row(claims.EVENT_FASTER, (OTHER_MODULES + MODULE_ON_CPU) / event),
        Row(claims.MODULE_FASTER_EQUATION, by_equation[0] or 0.0),
        Row(claims.EVENT_FASTER_EQUATION, by_equation[1]),
        Row(claims.ROWS_SMALL, loaded["235"]),
        Row(claims.ROWS_LARGE, loaded["1693"]),
        Row(claims.JOINED, joined.at(400).modules[MODULE].mean / large.at(400).modules[MODULE].mean),
    ]


PROTODUNE: Final = Figure(
    "a-fig5",
    "A Fig. 5: ProtoDUNE-SP on four T4s",
    {
        "235": Sweep(partial(_study, 235), SMALL, QUICK),
        "1693": Sweep(partial(_study, 1693), LARGE, QUICK),
        "joined": Sweep(partial(_study, 1693, dynamic=True), LARGE, QUICK),
        "even": Sweep(partial(_study, 1693, share=0.1), FEWER, QUICK),
        "uneven": Sweep(partial(_study, 1693, share=0.4), FEWER, QUICK),
    },
    draw,
    rows,
)
