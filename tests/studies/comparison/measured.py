"""Runs and comparisons that the tests make up: every figure is said, nothing is run."""

from __future__ import annotations

from typing import Any

from eventbraid.studies import Comparison, Measurement, Point


def asked(
    *,
    model: str = "facile",
    server: str = "gpu1:8001",
    requests: int = 100,
    executions: int = 100,
    client_queue: float = 0.0,
    network: float = 0.012,
    queue: float | None = 0.0,
    compute: float | None = 0.005,
    busy: int = 0,
    shared: bool = False,
) -> dict[str, Any]:
    """What a report says of a model on a server; times are means, in seconds."""
    parts = {"client_queue": client_queue, "network": network, "server_queue": queue, "server_compute": compute}
    return {
        "model": model,
        "server": server,
        "requests": requests,
        "executions": executions,
        "split": parts,
        "latency": {"mean": network + (queue or 0.0) + (compute or 0.0)},
        "failures": {"busy": busy} if busy else {},
        "shared": shared,
    }


def run_of(
    point: Point,
    repeat: int = 1,
    *,
    events: int = 100,
    seconds: float = 2.0,
    cpu_seconds: float = 1.0,
    modules: float = 0.8,
    latency: float = 0.02,
    models: list[dict[str, Any]] | None = None,
) -> Measurement:
    """A run whose one module had the core for `modules` seconds in all."""
    times = {"cpu_seconds": modules, "waiting_seconds": 0.0, "external_seconds": 1.0}
    report = {
        "job": "made up",
        "events": {"read": events},
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "events_per_second": events / seconds,
        "efficiency": modules / seconds,
        "modules": {"jets": times, "unused": dict.fromkeys(times, 0.0)},
        "errors": 0,
        "inference": {"models": models} if models is not None else {},
    }
    return Measurement(point, repeat, report, (latency,) * events, (), (("1:1:1", "pass"),), {})


def comparison_of(*runs: Measurement, **more: Any) -> Comparison:
    """A comparison of these runs, each of its own point or the next of it."""
    by_point: dict[Point, tuple[Measurement, ...]] = {}
    for run in runs:
        by_point[run.point] = (*by_point.get(run.point, ()), run)
    repeats = max(len(each) for each in by_point.values())
    return Comparison("made up", repeats, tuple(by_point), by_point, **more)
