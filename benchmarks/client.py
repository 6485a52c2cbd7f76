"""What the inference client costs beside tritonclient.grpc.aio, on the real Triton in the same run.

Both run on uvloop, each in a process of its own for each work and round, one after the other in alternating order, so
that nothing leaks and what slows this machine down slows down both. A figure is the median of the ratios, round by
round, with its spread (least to most). Client CPU is that of the whole client process, gRPC's threads included. The
works of 10 MB send 10 MB and get one number back; "both ways" gets 10 MB back and has no target. In shared memory "in
place" means that a request's array was there from the start, "copied" that it came from elsewhere; the reference is
tritonclient over gRPC.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from client_models import make_models

from eventbraid.serving import TritonServer, known_repositories

HERE: Final = Path(__file__).parent
ROUNDS: Final = 7

Measured = dict[str, float]
Figures = dict[tuple[str, str], list[Measured]]
"""By contestant and work, round by round."""


@dataclass(frozen=True)
class Row:
    """A figure of a work: of ours, over that of a reference at the same work or at another one."""

    what: str
    work: str
    figure: str
    target: float | None = None
    stretch: float | None = None
    more: bool = False
    """More is better."""
    ratio: bool = True
    """The target is for the ratio; else for our own figure."""
    over: str = ""
    """The work of the reference, where that is another one."""


ROWS: Final = (
    Row("4 floats, 64 at once: requests/s", "small", "per_second", 1.1, 1.7, more=True),
    Row("4 floats, 64 at once: client CPU, ms", "small", "cpu_ms", 0.85, 0.4),
    Row("FACILE, 1 MB, 8 at once: client CPU, ms", "facile", "cpu_ms", 0.65, 0.35),
    Row("10 MB over gRPC, 8 at once: client CPU, ms", "large", "cpu_ms", 0.8, 0.4),
    Row("10 MB over gRPC, 8 at once: requests/s", "large", "per_second", more=True),
    Row("10 MB both ways, 8 at once: client CPU, ms", "large both ways", "cpu_ms"),
    Row("10 MB in shared memory, in place: requests/s", "large in place", "per_second", 3, 5, more=True, over="large"),
    Row("10 MB in shared memory, in place: client CPU, ms", "large in place", "cpu_ms", 0.12, 0.08, over="large"),
    Row("10 MB in shared memory, copied: requests/s", "large copied", "per_second", more=True, over="large"),
    Row("10 MB in shared memory, copied: client CPU, ms", "large copied", "cpu_ms", over="large"),
    Row("burst of 64 x 10 MB: longest stall, ms", "burst", "stall_ms", 20, 5, ratio=False),
    Row("burst of 64 x 10 MB: of that computing, ms", "burst", "stall_cpu_ms"),
    Row("behind the burst, idle: longest stall, ms", "burst", "idle_stall_ms"),
    Row("burst of 64 x 10 MB: client CPU, ms", "burst", "cpu_ms"),
)
ADDED: Final = "added to a request of 4 floats, us"
ADDED_TARGET, ADDED_STRETCH = 30.0, 15.0


async def measure_on_own_server(ours: str, rows: list[Row], rounds: int) -> Figures:
    """The same on a Triton that is started for it."""
    with tempfile.TemporaryDirectory() as folder:
        models = await asyncio.to_thread(make_models, Path(folder))
        async with TritonServer([models, *known_repositories()]) as server:
            return await asyncio.to_thread(measure, server.address, ours, rows, rounds)


def measure(address: str, ours: str, rows: list[Row], rounds: int) -> Figures:
    """What each contestant costs at each work, round by round; `ours` says which of ours takes part."""
    works = dict.fromkeys(work for row in rows for work in (row.work, row.over or row.work))
    compared = {row.over or row.work for row in rows}
    found: Figures = {}
    for number in range(rounds):
        for work in works:
            names = ["ours", *(["tritonclient"] if work in compared else []), *(["bare"] if work == "small" else [])]
            for name in names if number % 2 else reversed(names):
                say(f"round {number + 1} of {rounds}: {work}, {name}")
                contestant = ours if name == "ours" else name
                found.setdefault((name, work), []).append(child("contestants.py", contestant, work, address))
    say("")
    return found


def child(program: str, *arguments: str) -> Any:
    """What a process of its own measures."""
    command = [sys.executable, str(HERE / program), *arguments]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout)


def say(line: str) -> None:
    """Show how far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def verdict(value: float, target: float | None, stretch: float | None, *, more: bool = False) -> str:
    """Whether a figure holds its target, and the stretch; empty where it has none."""
    if target is None or stretch is None:
        return ""
    sign = -1 if more else 1
    held = "stretch held" if sign * value <= sign * stretch else "held" if sign * value <= sign * target else "MISSED"
    return f"target {target:g}, stretch {stretch:g}: {held}"


def judged(row: Row, measured: Figures) -> dict[str, Any]:
    """A row's figures, round by round, and whether its target holds."""
    ours = [each[row.figure] for each in measured["ours", row.work]]
    theirs = [each[row.figure] for each in measured["tritonclient", row.over or row.work]]
    ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
    value = statistics.median(ratios if row.ratio else ours)
    held = verdict(value, row.target, row.stretch, more=row.more)
    return {"what": row.what, "ours": ours, "tritonclient": theirs, "ratios": ratios, "verdict": held}


def added(rounds: int, measured: Figures) -> list[dict[str, Any]]:
    """Microseconds that the client adds to a request: on a transport that answers at once, and on the real server."""
    at_once = [statistics.median(child("added.py")) for _ in range(rounds)]
    held = verdict(statistics.median(at_once), ADDED_TARGET, ADDED_STRETCH)
    rows = [{"what": f"{ADDED}, server at once", "ours": at_once, "verdict": held}]
    if ("bare", "small") in measured:
        pairs = zip(measured["ours", "small"], measured["bare", "small"], strict=True)
        over = [1e3 * (own["cpu_ms"] - other["cpu_ms"]) for own, other in pairs]
        rows.append({"what": f"{ADDED}, real server, 64 at once", "ours": over, "verdict": ""})
    return rows


def spread(values: list[float]) -> str:
    """The median, and the least and the most."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def show(rows: list[dict[str, Any]]) -> None:
    """The table."""
    print(f"{'':52} {'ours':>24} {'tritonclient.aio':>24} {'ratio':>22}")
    for row in rows:
        theirs, ratios = (spread(row[name]) if name in row else "" for name in ("tritonclient", "ratios"))
        print(f"{row['what']:52} {spread(row['ours']):>24} {theirs:>24} {ratios:>22}  {row['verdict']}".rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="rows with this in their names")
    parser.add_argument("--server", help="a Triton that has the models, in the place of one that is started")
    parser.add_argument("--grpc", action="store_true", help="our client over grpc.aio instead of its own HTTP/2")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.only in row.what]
    ours = "ours over grpc.aio" if arguments.grpc else "ours"
    if arguments.server:
        measured = measure(arguments.server, ours, rows, arguments.rounds)
    else:
        measured = asyncio.run(measure_on_own_server(ours, rows, arguments.rounds))
    found = [judged(row, measured) for row in rows]
    if arguments.only in ADDED:
        found += added(arguments.rounds, measured)
    print(f"the client, Python {platform.python_version()}, uvloop, {arguments.rounds} rounds")
    show(found)
    held = not any("MISSED" in row["verdict"] for row in found)
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "client", "rows": found, "held": held}, indent=2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
