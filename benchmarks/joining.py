"""When it pays to join the requests of several events: on the real Triton, requests/s and client CPU with and without.

A number of small requests is kept asked at once. The server takes four at a time, as one behind a busy queue would,
or as many as there are. A figure is the median of the ratios (joined over not joined), round by round in
alternating order, with its spread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
import uvloop
from client_models import make_models

from eventbraid.inference import Coalesce, Server, TritonClient
from eventbraid.serving import TritonServer

AT_ONCE, REQUESTS, ROUNDS = 64, 3_000, 5
COALESCE: Final = Coalesce(max_rows=32)


@dataclass(frozen=True)
class Case:
    """A kind of server and request."""

    what: str
    model: str
    rows: int
    max_requests: int | None


CASES: Final = (
    Case("4 floats, no batching on the server, 4 requests at a time", "alone", 1, 4),
    Case("4 floats, no batching on the server, as many as there are", "alone", 1, 64),
    Case("4 floats, dynamic batching on the server, 4 requests at a time", "same", 1, 4),
    Case("4 floats, dynamic batching on the server, as many as there are", "same", 1, 64),
    Case("16 rows, dynamic batching on the server, 4 requests at a time", "same", 16, 4),
)


async def measure(address: str, case: Case, how: Coalesce | None) -> tuple[float, float, float]:
    """Requests a second, client CPU of one in ms, and how many of them were sent as one."""
    client = TritonClient([Server(address, max_requests=case.max_requests)])
    inputs = {"x": np.ones((case.rows, 4), np.float32)}
    left = REQUESTS

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            answer = await client.infer(case.model, inputs, coalesce=how)
            assert answer["y"].shape == (case.rows, 4)

    await client.infer(case.model, inputs)
    began, cpu = perf_counter(), process_time()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    seconds, cpu = perf_counter() - began, process_time() - cpu
    sent = sum(each["requests"] for each in (await client.report())["models"]) - 1
    await client.aclose()
    return REQUESTS / seconds, 1e3 * cpu / REQUESTS, REQUESTS / sent


async def compete(rounds: int) -> list[dict[str, Any]]:
    """Every case, joined and not, round by round."""
    with tempfile.TemporaryDirectory() as folder:
        async with TritonServer([make_models(Path(folder))]) as server:
            found: dict[tuple[Case, bool], list[tuple[float, float, float]]] = {}
            for number in range(rounds):
                for case in CASES:
                    for joined in (False, True) if number % 2 else (True, False):
                        how = COALESCE if joined else None
                        found.setdefault((case, joined), []).append(await measure(server.address, case, how))
    return [
        {
            "what": case.what,
            "throughput": [one[0] / other[0] for one, other in zip(found[case, True], found[case, False], strict=True)],
            "cpu": [one[1] / other[1] for one, other in zip(found[case, True], found[case, False], strict=True)],
            "joined": [one[2] for one in found[case, True]],
            "per_second": [other[0] for other in found[case, False]],
        }
        for case in CASES
    ]


def spread(values: list[float]) -> str:
    """The median, and the least and the most."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(compete(arguments.rounds))
    print(f"joined requests, Python {platform.python_version()}, uvloop, {AT_ONCE} at once, {arguments.rounds} rounds")
    print(f"{'':64} {'requests as one':>22} {'x requests/s':>22} {'x client CPU':>22} {'without, /s':>26}")
    for row in rows:
        columns = " ".join(f"{spread(row[name]):>22}" for name in ("joined", "throughput", "cpu"))
        print(f"{row['what']:64} {columns} {spread(row['per_second']):>26}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "joining", "rows": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
