"""How a server stood up to a point of a study: what it was asked, how busy it was, and how much more it could do."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil
from typing import Any, Final

from eventbraid.studies.comparison.measurement import Measurement

__all__ = ["Load", "loads", "plateau", "saturation"]

BUSY: Final = 0.9
"""Executions at any time from which on a server with one instance of the model counts as having no rest."""
QUEUED: Final = 0.5
"""Of the time of an execution: a request that waits longer than that meets others before it."""
FAINT: Final = 0.02
"""Executions at any time below which nothing can be said of what the server could do."""


@dataclass(frozen=True, slots=True)
class Load:
    """The requests of one model on one server: medians over the runs of a point; times are means, in seconds."""

    requests_an_event: float
    requests_per_second: float
    client_queue: float
    """For which a request waits in the client for room on the server."""
    network: float
    """On the way, there and back, and in the server's handling of the message."""
    server_queue: float
    server_compute: float
    batch: float
    """Requests of one execution."""
    busy: float
    """Executions that the server had at work, on average over time (Little's law: their rate times their time)."""
    refused: float
    """Requests that it refused because it had too much to do."""
    shared: bool
    """True where others asked it too, so that batch, busy and times are not ours alone."""

    @property
    def saturated(self) -> bool:
        """True where the server always had work at hand and requests waited for it, or were refused."""
        waited = self.client_queue + self.server_queue
        return bool(self.refused) or (self.busy >= BUSY and waited > QUEUED * self.server_compute)


def loads(runs: Sequence[Measurement]) -> Mapping[tuple[str, str], Load]:
    """By model and server, for those servers that tell their statistics; runs of one point."""
    found = [dict(_of_run(run)) for run in runs]
    return {key: _median([each[key] for each in found if key in each]) for key in found[0]} if found else {}


def _of_run(run: Measurement) -> Iterator[tuple[tuple[str, str], Load]]:
    seconds = float(run.report["seconds"])
    for each in run.report["inference"].get("models", ()):
        parts: Mapping[str, Any] = each["split"]
        if parts["server_compute"] is None or not seconds or not each["requests"]:
            continue
        executions, compute = int(each["executions"] or 0), float(parts["server_compute"])
        yield (
            (each["model"], each["server"]),
            Load(
                requests_an_event=each["requests"] / run.events,
                requests_per_second=each["requests"] / seconds,
                client_queue=float(parts["client_queue"]),
                network=float(parts["network"]),
                server_queue=float(parts["server_queue"]),
                server_compute=compute,
                batch=each["requests"] / executions if executions else 1.0,
                busy=executions * compute / seconds,
                refused=float(each["failures"].get("busy", 0)),
                shared=bool(each["shared"]),
            ),
        )


def _median(each: Sequence[Load]) -> Load:
    names = [field.name for field in fields(Load) if field.name != "shared"]
    medians = {name: statistics.median(getattr(one, name) for one in each) for name in names}
    return Load(**medians, shared=any(one.shared for one in each))


def plateau(points: Iterable[Mapping[tuple[str, str], Load]]) -> float | None:
    """Events a second that the servers of all points could do at most; None where none tells.

    Of each model the point where its servers were busiest tells: requests a second over the share of time at work,
    times the instances that were seen at work at once, of all servers together. Batches that would grow with more load
    are not foreseen, so an idle server is underestimated. The slowest model counts.
    """
    by_model: dict[str, tuple[float, float]] = {}
    for point in points:
        here: dict[str, list[Load]] = {}
        for (model, _), load in point.items():
            if load.busy >= FAINT:
                here.setdefault(model, []).append(load)
        for model, of_model in here.items():
            asked = sum(load.requests_an_event for load in of_model)
            most = sum(load.requests_per_second / load.busy * max(1, ceil(load.busy - 0.1)) for load in of_model)
            found = sum(load.busy for load in of_model), most / asked
            by_model[model] = max(by_model.get(model, found), found)
    return min((events for _, events in by_model.values()), default=None)


def saturation(name: str, key: tuple[str, str], load: Load) -> str:
    """What is said of a server that was at its limit; empty where it was not."""
    if not load.saturated:
        return ""
    model, server = key
    if load.refused:
        return f"{name}: {server}, model {model!r}, refused {load.refused:.0f} requests: it had too much to do"
    waited = 1e3 * (load.client_queue + load.server_queue)
    return (
        f"{name}: {server}, model {model!r}, is saturated at {load.requests_per_second:,.1f} requests/s: "
        f"always at work ({load.busy:.0%}), a request waits {waited:.1f} ms for {1e3 * load.server_compute:.1f} ms"
    )
