"""An estimate as a table: each figure with what it is and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from eventbraid.studies.model.estimate import Estimate

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["bits", "number", "render", "seconds", "sections"]

Row: TypeAlias = tuple[str, str, str]
"""What it is, its value, where it comes from."""
PAPERS = "W: Wang et al., arXiv:2009.04509; K: Krupa et al., arXiv:2007.10359"
TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
RATES = ((1e12, "Tb/s"), (1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s"), (1.0, "b/s"))


def seconds(value: float) -> str:
    """With a unit and three digits."""
    return _scaled(value, TIMES)


def bits(value: float) -> str:
    """A second, with a unit and three digits."""
    return _scaled(value, RATES)


def number(value: float) -> str:
    """With three digits, and all of a whole number's."""
    if 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    """In the largest unit of which it is at least one; zero in the one of scale 1."""
    fits = [(scale, unit) for scale, unit in units if value >= 0.9995 * scale] or [units[-1]]
    scale, unit = fits[0] if value else next(each for each in units if each[0] == 1)
    return f"{number(value / scale)} {unit}"


def sections(estimate: Estimate) -> Iterator[tuple[str, list[Row]]]:
    """The parts of the table, each with its title."""
    farm = estimate.farm
    yield "an event", list(_event(estimate))
    yield "a server that is free", list(_free(estimate))
    cards = "1 GPU" if farm.gpus == 1 else f"{farm.gpus:,} GPUs"
    how = "blocking" if farm.streams == 1 else f"each with {farm.streams} events in flight"
    clients = "1 client" if estimate.clients == 1 else f"{estimate.clients:,} clients"
    yield f"{clients}, {how}, on {cards}", list(_farm(estimate))
    yield f"{estimate.events:,} events", list(_cost(estimate))
    if estimate.rate is not None:
        yield f"{number(estimate.rate)} events/s need", list(_needs(estimate, estimate.rate))


def _event(estimate: Estimate) -> Iterator[Row]:
    workload = estimate.workload
    if workload.module is not None:
        yield "time on a CPU alone", seconds(workload.cpu_only), "t_CPU, W (1)"
        yield "of that the module", seconds(workload.module), "X, K (1)"
        yield "accelerated", f"{workload.fraction:.1%}", "p, W (1)"
    yield "CPU time that stays", seconds(workload.client_cpu), "(1 - p) t_CPU"
    yield "of that packing", seconds(workload.packing), "t_preprocess; S + L"
    yield "GPU time", seconds(workload.gpu), "t_GPU; Y"
    yield "transmission", seconds(workload.transmit), "t_transmit"
    yield "travel", seconds(workload.travel), "t_travel"


def _free(estimate: Estimate) -> Iterator[Row]:
    workload = estimate.workload
    yield "time of the module", seconds(workload.as_service), "packing to GPU"
    yield "time of an event", seconds(workload.ideal), "t_ideal, W (2)"
    if workload.module is not None:
        yield "speed-up of the module", number(workload.module_speed_up), ""
        yield "speed-up of an event", number(workload.cpu_only / workload.ideal), "t_CPU / t_ideal"
        if workload.speed_up_limit is not None:
            yield "the same at most", number(workload.speed_up_limit), "1 / (1 - p)"
        yield "CPU cores that a GPU replaces", number(workload.replacement), "F_GPU^eq, K (1)"


def _farm(estimate: Estimate) -> Iterator[Row]:
    ratio = "W (3)" if estimate.farm.streams == 1 else "W (3), of clients that braid"
    yield "clients before saturation", number(estimate.saturation), ratio
    yield "clients a GPU", number(estimate.saturation / estimate.farm.gpus), "CPU-to-GPU ratio"
    yield "time between a client's events", seconds(estimate.event_seconds), "W (4)"
    yield "of that the module", seconds(estimate.module_seconds), ""
    yield "events/s of all clients", number(estimate.events_per_second), ""
    if estimate.speed_up is not None:
        yield "speed-up", number(estimate.speed_up), "against a CPU alone"
    yield "bound by", estimate.bound_by, ""
    yield "GPUs busy", f"{estimate.busy:.0%}", ""
    yield "bandwidth of all clients", bits(estimate.bandwidth), ""
    yield "bandwidth of a client", bits(estimate.client_bandwidth), "not saturated"
    yield "bandwidth of a GPU", bits(estimate.gpu_bandwidth), "saturated"


def _cost(estimate: Estimate) -> Iterator[Row]:
    hours, without, prices = estimate.hours, estimate.cpu_only_hours, estimate.prices
    yield "CPU core hours", number(hours.cpu), ""
    yield "GPU hours", number(hours.gpu), ""
    if without is not None:
        yield "CPU core hours without servers", number(without.cpu), ""
    if estimate.break_even is not None:
        worth, of = number(estimate.break_even), "CPU core hours"
        if estimate.break_even <= 0:
            worth, of = "never", "they save no core hours"
        yield "servers pay up to a GPU hour of", worth, of
    if prices is not None:
        yield "cost", number(prices.cost(hours)), f"{prices.cpu_hour:g} a core hour, {prices.gpu_hour:g} a GPU hour"
        if without is not None:
            yield "cost without servers", number(prices.cost(without)), ""


def _needs(estimate: Estimate, rate: float) -> Iterator[Row]:
    needs = estimate.farm.needs(estimate.workload, rate)
    yield "clients", number(needs.clients), "rate x time between events"
    yield "GPUs", number(needs.gpus), "rate x t_GPU"
    yield "bandwidth", bits(needs.bandwidth), ""


def render(estimate: Estimate, console: Console) -> None:
    """Print the sections, then what is to be known beside them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(estimate.name, "bold"), title_justify="left", caption=PAPERS, caption_justify="left")
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("from")
    for title, rows in sections(estimate):
        table.add_section()
        table.add_row(title, "", "", style="bold")
        for name, value, source in rows:
            table.add_row(f"  {name}", value, source)
    console.print(table)
    for note in estimate.notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)
