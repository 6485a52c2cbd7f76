"""What braiding gains on a job: the figures of both modes, the gain with its spread, and whether products agree."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventbraid.studies.measurement import Measurement
from eventbraid.studies.sameness import Difference

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Comparison", "Figures", "Spread", "figures", "quantile"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values and their extremes."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one mode: medians over its runs; latencies over all events of all runs, in seconds."""

    events_per_second: Spread
    latency: float
    latency_p95: float
    cpu_share: float
    """CPU time of the process over wall time."""
    efficiency: float
    """CPU time of the modules over wall time."""
    in_flight: float
    of_bound: float
    """Events per second over what the CPU work of the modules alone would allow."""


def figures(runs: Sequence[Measurement], bound: float) -> Figures:
    """The figures of the runs of one mode, of which there is at least one."""
    latencies = sorted(latency for run in runs for latency in run.latencies)
    rate = Spread.of([run.events_per_second for run in runs])
    return Figures(
        events_per_second=rate,
        latency=quantile(latencies, 0.5),
        latency_p95=quantile(latencies, 0.95),
        cpu_share=statistics.median(run.cpu_share for run in runs),
        efficiency=statistics.median(run.efficiency for run in runs),
        in_flight=statistics.median(run.in_flight for run in runs),
        of_bound=rate.median / bound if bound else 0.0,
    )


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """The value below which that fraction of the ordered values lies; 0 of none."""
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A job in blocking mode and braided, run in turn; `blocking[n]` and `braided[n]` are a pair."""

    job: str
    streams: int
    blocking: tuple[Measurement, ...]
    braided: tuple[Measurement, ...]
    differences: tuple[Difference, ...]
    """All that any run did otherwise than the first blocking run."""
    picture: Path | None = None

    @property
    def identical(self) -> bool:
        """True when every run gave the same products, bit for bit, path results and failures."""
        return not self.differences

    @property
    def speed_up(self) -> Spread:
        """Throughput braided over throughput blocking, pair by pair."""
        pairs = zip(self.braided, self.blocking, strict=True)
        return Spread.of([b.events_per_second / a.events_per_second if a.events_per_second else 0.0 for b, a in pairs])

    @property
    def bound(self) -> float:
        """Events per second that the CPU work of the modules alone would allow on one core, measured in blocking mode.

        External work is no part of it, nor what the client spends on requests, nor the framework: no job
        on one core goes beyond, and what is missing is what these and waiting cost.
        """
        work = statistics.median(run.cpu_an_event for run in self.blocking)
        return 1 / work if work else 0.0

    @property
    def figures(self) -> Mapping[str, Figures]:
        """The figures of "blocking" and "async"."""
        return {"blocking": figures(self.blocking, self.bound), "async": figures(self.braided, self.bound)}

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries, the reports of all runs included."""
        return {
            "job": self.job,
            "streams": self.streams,
            "repeats": len(self.blocking),
            "events": self.blocking[0].events,
            "identical": self.identical,
            "differences": [asdict(difference) for difference in self.differences],
            "compared": {"files": list(self.blocking[0].files), "decisions": len(self.blocking[0].decisions)},
            "speed_up": asdict(self.speed_up),
            "bound_events_per_second": self.bound,
            "figures": {mode: asdict(each) for mode, each in self.figures.items()},
            "picture": str(self.picture) if self.picture else None,
            "runs": {
                "blocking": [dict(run.report) for run in self.blocking],
                "async": [dict(run.report) for run in self.braided],
            },
        }

    def render(self, console: Console) -> None:
        """Print the table, the gain and whether products agree."""
        from rich.table import Table

        number = len(self.blocking)
        runs = "1 run" if number == 1 else f"{number} runs"
        streams = f"async with {self.streams} in flight"
        table = Table(title=f"{self.job}: {self.blocking[0].events} events, {runs} a mode, {streams}")
        heads = ("events/s", "latency\nmedian", "latency\np95", "CPU", "useful\nCPU", "in\nflight", "of the\nbound")
        table.add_column("mode", no_wrap=True)
        for head in heads:
            table.add_column(head, justify="right", no_wrap=True)
        for mode, each in self.figures.items():
            rate = each.events_per_second
            table.add_row(
                mode,
                f"{_number(rate.median)}\n[dim]{_number(rate.least)} - {_number(rate.most)}[/]",
                _milliseconds(each.latency),
                _milliseconds(each.latency_p95),
                f"{each.cpu_share:.0%}",
                f"{each.efficiency:.0%}",
                f"{each.in_flight:.1f}",
                f"{each.of_bound:.0%}" if self.bound else "",
            )
        console.print(table)
        gain = self.speed_up
        spread = f" ({gain.least:.2f} to {gain.most:.2f} in {number} pairs)" if number > 1 else " (one pair)"
        console.print(f"[bold]speed-up {gain.median:.2f}[/]{spread}", highlight=False)
        if self.bound:
            console.print(
                f"bound: {_number(self.bound)} events/s, which the modules' CPU work alone would allow",
                highlight=False,
            )
        self._render_sameness(console)
        if self.picture:
            console.print(f"picture: {self.picture}", highlight=False, markup=False, soft_wrap=True)

    def _render_sameness(self, console: Console) -> None:
        first = self.blocking[0]
        if self.identical:
            what = ["failures"] if first.report["errors"] else []
            what += ["path results"] if first.decisions else []
            what += [f"products of {', '.join(first.files)}"] if first.files else []
            same = f"in all {2 * len(self.blocking)} runs, bit for bit"
            if what:
                console.print(f"[green]identical[/] {same}: {', '.join(reversed(what))}", highlight=False)
            else:
                console.print("[yellow]nothing to compare[/]: the job has no output and no path", highlight=False)
            return
        console.print(f"[bold red]not identical[/]: {len(self.differences)} differences", highlight=False)
        for difference in self.differences[:10]:
            console.print(f"  {difference}", highlight=False, markup=False, soft_wrap=True)
        if len(self.differences) > 10:
            console.print(f"  and {len(self.differences) - 10} more")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"
