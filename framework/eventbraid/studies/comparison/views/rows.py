"""The tables of a comparison as texts, for whoever shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.eventtime import event_time, module_times
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.spread import Spread
from eventbraid.studies.units import milliseconds, number, shown_seconds

__all__ = ["Cell", "Rows", "module_rows", "point_rows", "server_rows", "time_rows"]

Cell: TypeAlias = str | tuple[str, str]
"""A text, or one with a smaller one below it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table to be: its first column is of words, the others of numbers."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


def _places(comparison: Comparison) -> tuple[str, ...]:
    """The heads of the columns that say which point a row is of; distances only where there are some."""
    away = any(point.distance is not None for point in comparison.runs)
    return ("mode", "streams", *(("away",) if away else ()))


def _place(point: Point, heads: tuple[str, ...]) -> tuple[str, ...]:
    away = "" if point.distance is None else shown_seconds(point.distance)
    return (point.mode, str(point.streams), away)[: len(heads)]


def point_rows(comparison: Comparison) -> Rows:
    """The figures of each point."""
    places = _places(comparison)
    heads = ("events/s", "speed-up", "latency median", "latency p95", "CPU", "useful CPU", "in flight", "of the bound")
    bound = comparison.bound
    rows: list[tuple[Cell, ...]] = []
    for point, each in comparison.figures.items():
        gain = comparison.speed_up(point)
        rows.append(
            (
                *_place(point, places),
                _spread(each.events_per_second),
                _spread(gain, 2) if gain is not None else "",
                milliseconds(each.latency),
                milliseconds(each.latency_p95),
                f"{each.cpu_share:.0%}",
                f"{each.efficiency:.0%}",
                f"{each.in_flight:.1f}",
                f"{each.of_bound:.0%}" if bound else "",
            )
        )
    return Rows((*places, *heads), rows)


def time_rows(comparison: Comparison) -> Rows:
    """Where the wall time of an event goes, for each point."""
    times = {point: event_time(runs) for point, runs in comparison.runs.items()}
    local = any(each.network for each in times.values())
    places = _places(comparison)
    heads = (*places, "modules", *(("models here",) if local else ()), "framework", "waiting", "all")
    rows: list[tuple[Cell, ...]] = []
    for point, each in times.items():
        parts = [each.modules, *((each.network,) if local else ()), each.framework, each.waiting]
        rows.append((*_place(point, places), *map(milliseconds, parts), milliseconds(sum(parts))))
    return Rows(heads, rows)


def module_rows(comparison: Comparison, point: Point) -> Rows:
    """The times of each module at a point."""
    heads = ("module", "CPU, ms an event", "waiting, ms", "external work, ms")
    times = module_times(comparison.runs[point])
    return Rows(
        heads,
        [
            (label, *(f"{1e3 * seconds:.3f}" if seconds else "" for seconds in (each.cpu, each.waiting, each.external)))
            for label, each in times.items()
        ],
    )


def server_rows(comparison: Comparison) -> Rows:
    """The requests of each model on each server at each point; no row where no server told its statistics."""
    places = _places(comparison)
    heads = (*places, "model", "requests/s", "waits in the client", "network", "server's queue", "computing",
             "requests a batch", "at work", "")  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            *_place(point, places),
            (model, server),
            number(load.requests_per_second),
            *map(milliseconds, (load.client_queue, load.network, load.server_queue, load.server_compute)),
            f"{load.batch:.1f}",
            f"{load.busy:.0%}",
            "saturated" if load.saturated else "shared" if load.shared else "",
        )
        for point, of_point in comparison.loads.items()
        for (model, server), load in of_point.items()
    ]
    return Rows(heads, rows)


def _spread(spread: Spread, digits: int | None = None) -> Cell:
    median, least, most = (
        number(value) if digits is None else f"{value:.{digits}f}"
        for value in (spread.median, spread.least, spread.most)
    )
    return median if least == most else (median, f"{least} - {most}")
