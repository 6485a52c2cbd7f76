"""The embedded server beside the real Triton, onnxruntime alone, and the GPUs that it emulates, in one run.

Every load is a process of its own with our client on uvloop (contestants.py), one after the other in alternating order;
a server that is not asked is idle meanwhile. A figure is the median of the ratios, round by round, with its spread
(least to most). Server and client share this machine's cores. "patches" is EmTrackMichelId with 1,693 patches of
48 x 48 a request, two requests at once, against onnxruntime called in a loop; both compute with one thread. "400
clients" keeps 400 requests of DeepCalo (5 images) at four emulated V100s, against the plateau of the preset. "ready" is
from the start of the process until it serves, against an interpreter that only imports grpc, numpy and onnxruntime.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from client import child, say, spread
from server_models import make_networks

from eventbraid.serving import EmbeddedServer, TritonServer, known_repositories
from eventbraid.serving.emulation import parse_device, plateau

ROUNDS: Final = 7
DEVICE: Final = "emulated:v100,gpus=4,answers=zeros"
IMPORTS: Final = "import grpc, numpy, onnxruntime"


@dataclass(frozen=True)
class Row:
    """A figure: the embedded server's over a reference's, and what it must be."""

    what: str
    unit: str
    holds: Callable[[float, float], bool]
    """Of the medians of the ratio and of our own figure."""
    target: str


ROWS: Final = {
    "small": Row("4 floats, 64 at once, dynamic batching", "requests/s", lambda ratio, _: ratio >= 0.5, ">= 0.5 x"),
    "facile": Row("FACILE, 16,000 x 15, 8 at once", "batches/s", lambda ratio, _: ratio >= 0.8, ">= 0.8 x"),
    "patches": Row("EmTrackMichelId, 1,693 patches", "requests/s", lambda ratio, _: ratio >= 0.95, ">= 0.95 x"),
    "400 clients": Row("4 emulated GPUs, 400 clients", "requests/s", lambda ratio, _: 0.97 <= ratio <= 1.03, "+- 3 %"),
    "ready": Row("start to ready", "s", lambda _, seconds: seconds <= 1.0, "<= 1 s"),
}
REFERENCES: Final = {
    "small": "real Triton",
    "facile": "real Triton",
    "patches": "onnxruntime alone",
    "400 clients": "the preset's plateau",
    "ready": "imports alone",
}


def ready(folder: Path) -> float:
    """Seconds from the start of a server until it serves."""

    async def start() -> float:
        began = perf_counter()
        async with EmbeddedServer([folder / "same"]):
            return perf_counter() - began

    return asyncio.run(start())


def imports() -> float:
    """Seconds of an interpreter that imports what a server needs."""
    began = perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return perf_counter() - began


def measure(works: list[str], folder: Path, addresses: dict[str, str], rounds: int) -> dict[str, list[list[float]]]:
    """For each work the embedded server's figures and the reference's, round by round."""
    per_second = lambda *arguments: child(*arguments)["per_second"]  # noqa: E731
    load = {
        name: lambda work, name=name: per_second("contestants.py", "ours", work, addresses[name]) for name in addresses
    }
    expected = plateau(parse_device(DEVICE), "deepcalo", rows=5)
    network = str(folder / "all" / "emtrackmichelid" / "1" / "model.onnx")
    pairs: dict[str, list[Callable[[], float]]] = {
        "small": [lambda: load["embedded"]("small"), lambda: load["triton"]("small")],
        "facile": [lambda: load["embedded"]("facile"), lambda: load["triton"]("facile")],
        "patches": [lambda: load["embedded"]("patches"), lambda: per_second("looping.py", network)],
        "400 clients": [lambda: load["emulated"]("400 clients"), lambda: expected],
        "ready": [lambda: ready(folder), imports],
    }
    found: dict[str, list[list[float]]] = {work: [[], []] for work in works}
    for number in range(rounds):
        for work in works:
            say(f"round {number + 1} of {rounds}: {work}")
            for at in (0, 1) if number % 2 else (1, 0):
                found[work][at].append(pairs[work][at]())
    say("")
    return found


async def run(works: list[str], rounds: int) -> dict[str, list[list[float]]]:
    """The same on servers that are started for it: those that are needed."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        models = [await asyncio.to_thread(make_networks, folder / "all"), *known_repositories()]
        (folder / "same").mkdir()
        (folder / "same" / "same").symlink_to(folder / "all" / "same")
        servers: dict[str, Any] = {"embedded": EmbeddedServer(models)}
        if {"small", "facile"} & set(works):
            servers["triton"] = TritonServer(models)
        if "400 clients" in works:
            servers["emulated"] = EmbeddedServer(models, device=DEVICE)
        try:
            for each in servers.values():
                await each.start()
            addresses = {name: each.address for name, each in servers.items()}
            return await asyncio.to_thread(measure, works, folder, addresses, rounds)
        finally:
            for each in servers.values():
                await each.stop()


def judged(work: str, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """A row with its ratios, and whether its target holds."""
    row = ROWS[work]
    ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
    held = row.holds(statistics.median(ratios), statistics.median(ours))
    what = f"{row.what}, {row.unit}"
    return {
        "what": what,
        "embedded": ours,
        "reference": REFERENCES[work],
        "theirs": theirs,
        "ratios": ratios,
        "target": row.target,
        "held": held,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=ROWS, action="append")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    measured = asyncio.run(run(arguments.only or list(ROWS), arguments.rounds))
    rows = [judged(work, *figures) for work, figures in measured.items()]
    print(f"the servers, Python {platform.python_version()}, {arguments.rounds} rounds")
    print(f"{'':54} {'embedded':>22} {'reference':>22} {'ratio':>22}")
    for row in rows:
        verdict = f"target {row['target']}: {'held' if row['held'] else 'MISSED'}, {row['reference']}"
        figures = (spread(row[name]) for name in ("embedded", "theirs", "ratios"))
        print(f"{row['what']:54} " + " ".join(f"{each:>22}" for each in figures) + f"  {verdict}")
    held = all(row["held"] for row in rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "servers", "rows": rows, "held": held}, indent=2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
