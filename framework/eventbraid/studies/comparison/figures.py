"""The figures of one point of a study: medians over its runs, with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from eventbraid.studies.comparison.measurement import Measurement
from eventbraid.studies.spread import Spread, quantile

__all__ = ["Figures", "figures", "ratios"]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one point: medians over its runs; latencies over all events of all runs, in seconds."""

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
    """The figures of the runs of one point, of which there is at least one."""
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


def ratios(runs: Sequence[Measurement], reference: Sequence[Measurement]) -> Spread | None:
    """Throughput over that of the reference, round by round; None where no round has both."""
    pairs = list(zip(runs, reference, strict=False))
    rates = [(run.events_per_second, other.events_per_second) for run, other in pairs]
    return Spread.of([one / other if other else 0.0 for one, other in rates]) if rates else None
