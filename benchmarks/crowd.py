"""Simulated clients beside real ones: the same study simulated, and with a process for each client and for the server.

A client's event is 0.8 s of work, some 10 % more or less, and one request of 40 ms on two emulated GPUs, so that 42
clients saturate them. Work is a sleep of the client's process, or this machine would carry two of them; requests,
server and network are real. What a request's way and an event take beside all that is described is measured with one
client and given to the simulation. Shown are the simulated figures, and measured over simulated as the median of the
rounds with its spread (least to most): of the throughput, of an event's time (median) and of that of the module that
asks (mean). All must be within 5 %. This machine's cores should not be busy, for a client that waits for one is late.
`--write` leaves the studies as job files for `eventbraid scale`, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from client import say

from eventbraid.serving.emulation import parse_device
from eventbraid.studies.scale import Point
from eventbraid.studies.simulation import Ask, Batching, Client, Model, Network, Server, Study, Work, simulate
from eventbraid.studies.simulation.reality import asking_seconds, calibrated, enact, write_job

TARGET: Final = 0.05
CLIENT: Final = Client((Work(0.4), Ask("m", rows=4), Work(0.4)), events=12, spread=0.1, stagger=0.84)
ALONE: Final = Server("gpus", parse_device("emulated:gpus=2,t0=20ms,per_row=5ms"), {"m": Model()})
JOINED: Final = replace(ALONE, models={"m": Model(Batching(16))})
AWAY: Final = replace(ALONE, models={"m": Model(row_bytes=12_500)}, network=Network(0.1, server=40e6))
STUDIES: Final = {
    "alone": (Study(CLIENT, 1, (ALONE,)), (1, 4, 16, 32, 64)),
    "batching": (Study(CLIENT, 1, (JOINED,)), (1, 48)),
    "distance": (Study(CLIENT, 1, (AWAY,)), (1, 48)),
}
"""Requests that are executed alone, joined up to 16 rows, and 100 ms and 40 Mb/s away; each with its clients."""
FIGURES: Final = ("events/s", "event, s", "module, s")
FORMATS: Final = dict(zip(FIGURES, (".2f", ".4f", ".4f"), strict=True))


def measured(point: Point) -> tuple[float, float, float]:
    """Events a second of all clients; seconds of an event, and of its module that asks."""
    return point.events_per_second, point.event_seconds, point.module_seconds


def simulated(study: Study, clients: int) -> tuple[float, float, float]:
    """The same figures."""
    result = simulate(replace(study, clients=clients))
    return result.events_per_second, result.event.median, asking_seconds(study, result)


def middle(points: Sequence[Point]) -> Point:
    """One point with the medians of several."""
    rate, event, module = (statistics.median(each) for each in zip(*map(measured, points), strict=True))
    return replace(points[0], events_per_second=rate, event_seconds=event, module_seconds=module)


def shown(ratios: Sequence[float]) -> str:
    """The median, the least and the most."""
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"


def compared(name: str, study: Study, rounds: list[tuple[Point, ...]]) -> list[dict[str, Any]]:
    """A row for each number of clients."""
    found = calibrated(study, middle([points[0] for points in rounds]))
    way = found.servers[0].network.latency - study.servers[0].network.latency
    rest = found.client.modules[-1].seconds
    print(f"{name}: one client measures {1e3 * way:.1f} ms of way, and {1e3 * rest:.1f} ms beside an event's work")
    rows: list[dict[str, Any]] = []
    for points in zip(*rounds, strict=True):
        clients = points[0].clients
        expected = simulated(found, clients)
        ratios = [[one / of for one, of in zip(measured(point), expected, strict=True)] for point in points]
        by_figure = dict(zip(FIGURES, zip(*ratios, strict=True), strict=True))
        missed = [figure for figure, each in by_figure.items() if abs(statistics.median(each) - 1) > TARGET]
        busy = max(point.machine or 0.0 for point in points)
        cells = (
            f"{each:{FORMATS[figure]}} x {shown(by_figure[figure])}"
            for figure, each in zip(FIGURES, expected, strict=True)
        )
        verdict = f"MISSED: {'; '.join(missed)}" if missed else "held"
        print(
            f"{name:10} {clients:7} " + " ".join(f"{cell:>30}" for cell in cells) + f"  {verdict}, {busy:.0%} busy",
            flush=True,
        )
        rows.append(
            {"study": name, "clients": clients, "simulated": expected, "way": way, "rest": rest, "missed": missed}
        )
        rows[-1]["measured"] = [asdict(point) for point in points]
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=STUDIES, action="append")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the studies' job files, and measure nothing")
    arguments = parser.parse_args()
    chosen = {name: STUDIES[name] for name in arguments.only or STUDIES}
    if arguments.write:
        for name, (study, _) in chosen.items():
            print(write_job(study, arguments.write / name))
        return 0
    found: dict[str, list[tuple[Point, ...]]] = {name: [] for name in chosen}
    for number in range(1, arguments.rounds + 1):
        for name, (study, clients) in chosen.items():
            told = f"round {number} of {arguments.rounds}, {name}"
            found[name].append(enact(study, clients, say=lambda line, told=told: say(f"{told}: {line}")).points)
    say("")
    print(f"crowd, Python {platform.python_version()}, {arguments.rounds} rounds; target: within {TARGET:.0%}")
    print(f"{'':10} {'clients':>7} " + " ".join(f"{figure:>30}" for figure in FIGURES))
    rows = [row for name, (study, _) in chosen.items() for row in compared(name, study, found[name])]
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "crowd", "found": rows}, indent=2))
    return 1 if any(row["missed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
