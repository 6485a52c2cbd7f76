"""Events/s of the examples: blocking, threads and braided, with the server beside, 20 ms away, and the real Triton.

Each run is `eventbraid run` in a process of its own, one after the other, all rows of a table in turn in each round. A
figure is the median over the rounds with its spread (least to most). "Of the bound" is of what the CPU time of the
modules alone would allow on one core: events/s times the CPU seconds that the modules took for an event in the blocking
run of the same round. Servers and client share this machine's cores. Models that are not shipped must have been built.
The whole event has a server for each of its models.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer, known_repositories
from eventbraid.serving.repository.choosing import only

EXAMPLES: Final = Path(__file__).parents[1] / "examples"
EVENTS: Final = {
    "hlt": 100,
    "deepcalo": 100,
    "toptag": 100,
    "protodune": 16,
    "tracks": 40,
    "whole_event": 100,
    "tutorial/top": 100,
}
APART: Final = {"whole_event": ["facile", "deepcalo", "toptag"]}
"""Examples whose models each have a server of their own."""
MODES: Final = [("blocking", 1), ("threads", 16), ("async", 1), ("async", 4), ("async", 16), ("async", 64)]
SERVERS: Final[dict[str, Callable[[Sequence[Path]], Any]]] = {
    "embedded": EmbeddedServer,
    "embedded, 20 ms away": lambda folders: EmbeddedServer(folders, latency=0.02),
    "real Triton": TritonServer,
}


@dataclass
class Row:
    """Events/s of a mode, and the share of the bound, round by round."""

    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


async def run(file: Path, mode: str, streams: int, events: int, servers: Sequence[str], folder: Path) -> dict[str, Any]:
    """The report of one run."""
    command = [sys.executable, "-c", "from eventbraid.cli import main; main()", "run", str(file), "--json", "-"]
    command += ["--mode", mode, "--streams", str(streams), "--events", str(events)]
    command += [f"--server={server}" for server in servers]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, errors = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command[3:])} failed:\n{errors.decode()[-2000:]}")
    report: dict[str, Any] = json.loads(said)
    return report


def seconds_an_event(report: dict[str, Any]) -> float:
    """CPU seconds of all modules for an event, external work apart."""
    return sum(float(times["cpu_seconds"]) for times in report["modules"].values()) / int(report["events"]["read"])


@asynccontextmanager
async def serving(name: str, models: Sequence[str | Path], apart: Sequence[str]) -> AsyncIterator[list[str]]:
    """The addresses of servers: one for each model of `apart`, else one for all."""
    async with AsyncExitStack() as stack:
        addresses: list[str] = []
        for each in [[model] for model in apart] or [[]]:
            folders = stack.enter_context(only(each, known_repositories(models)))
            addresses.append((await stack.enter_async_context(SERVERS[name](folders))).address)
        yield addresses


async def table(example: str, server: str, rounds: int) -> dict[tuple[str, int], Row]:
    """All rows of an example on a server."""
    file, events = EXAMPLES / f"{example}.py", EVENTS[example]
    rows = {each: Row() for each in MODES}
    with tempfile.TemporaryDirectory(prefix="eventbraid-workflows-") as folder:
        async with serving(server, load_job(file).models, APART.get(example, [])) as addresses:
            await run(file, "async", 16, events, addresses, Path(folder))  # fills caches
            for _ in range(rounds):
                bound = 0.0
                for (mode, streams), row in rows.items():
                    report = await run(file, mode, streams, events, addresses, Path(folder))
                    bound = bound or 1 / seconds_an_event(report)
                    row.rates.append(report["events_per_second"])
                    row.shares.append(report["events_per_second"] / bound)
    return rows


def show(example: str, tables: dict[str, dict[tuple[str, int], Row]]) -> None:
    """The table as Markdown."""
    print(f"\n### {example}, {EVENTS[example]} events\n")
    print("| mode, in flight | " + " | ".join(tables) + " |\n|" + "---|" * (1 + len(tables)))
    for mode in MODES:
        cells = []
        for rows in tables.values():
            row = rows[mode]
            rate, share = statistics.median(row.rates), statistics.median(row.shares)
            cells.append(f"{rate:.3g} ({min(row.rates):.3g}-{max(row.rates):.3g}), {share:.0%} of the bound")
        print(f"| {mode[0]}, {mode[1]} | " + " | ".join(cells) + " |", flush=True)


async def main() -> None:
    """Measure the chosen examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", nargs="*", choices=[*EVENTS, []], help="all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"CPython {platform.python_version()} on {platform.machine()}, {options.rounds} rounds; events/s")
    for example in options.examples or EVENTS:
        show(example, {server: await table(example, server, options.rounds) for server in SERVERS})


if __name__ == "__main__":
    asyncio.run(main())
