"""B Fig. 3: the high level trigger with FACILE as a service."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from benchmarks.figures import claims, style
from benchmarks.figures.figure import Figure
from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curve, Curves, Sweep, spread
from eventbraid.studies.simulation import Study
from eventbraid.studies.simulation.published import HLT_SECONDS, hlt

__all__ = ["TRIGGER"]

ONE: Final = (1, 50, 100, 150, 200, 225, 250, 275, 300, 350, 400, 450, 500)
FOUR: Final = (1, 100, 200, 400, 600, 800, 900, 1000, 1100, 1200, 1300)


def _study(gpus: int, clients: int, *, share: float = 0.2) -> Study:
    return spread(hlt(clients, gpus=gpus, events=25), share)


def _knee(curve: Curve) -> float:
    return curve.knee([each.event.mean for each in curve.results])


def draw(curves: Curves) -> Any:
    """Left an event's time with the middle 90 % of all, right the throughput."""
    figure, (times, rates) = style.panels(
        "an event's time", "throughput", x="clients", ys=["median, 5 to 95 % [s]", "events/s"]
    )
    for name, label, colour in (("1", "1 GPU", style.ORANGE), ("4", "4 GPUs", style.BLUE)):
        curve = curves[name]
        events = [each.event for each in curve.results]
        style.line(times, curve, [each.median for each in events], colour, f"simulated, {label}")
        low, high = [each.p5 for each in events], [each.p95 for each in events]
        times.fill_between(curve.clients, low, high, color=colour, alpha=0.15, lw=0)
        style.line(rates, curve, curve.rates, colour, f"simulated, {label}")
    times.axhline(HLT_SECONDS, label="without FACILE", **style.DOTTED)
    seconds = HLT_SECONDS * claims.TRIGGER_TIME.published
    style.published(times, [(claims.TRIGGERS.published, seconds)], style.ORANGE, "published: no loss until")
    style.published(times, [(claims.TRIGGERS_FOUR.published, seconds)], style.BLUE, "")
    for axes in (times, rates):
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8.5)
    return figure


def rows(curves: Curves) -> list[Row]:
    """Knees of the mean time, and that time before them."""
    one = curves["1"]
    return [
        Row(claims.TRIGGERS, _knee(one)),
        Row(claims.TRIGGERS_FOUR, _knee(curves["4"])),
        Row(claims.TRIGGERS_EVEN, _knee(curves["even"])),
        Row(claims.TRIGGERS_UNEVEN, _knee(curves["uneven"])),
        Row(claims.TRIGGER_TIME, one.at(50).event.mean / HLT_SECONDS),
    ]


TRIGGER: Final = Figure(
    "b-fig3",
    "B Fig. 3: the trigger with FACILE on V100s",
    {
        "1": Sweep(partial(_study, 1), ONE, (1, 50, 250, 500)),
        "4": Sweep(partial(_study, 4), FOUR, (1, 200, 1000, 1200)),
        "even": Sweep(partial(_study, 1, share=0.1), ONE, (1, 50, 250, 500)),
        "uneven": Sweep(partial(_study, 1, share=0.4), ONE, (1, 50, 250, 500)),
    },
    draw,
    rows,
)
