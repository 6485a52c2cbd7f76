"""How well waiting is hidden: W2, events a second over the CPU bound of one core.

12 modules an event, 9 of them 0.4 ms of CPU, 3 external of 20 ms, in three chains of three modules, each with external
work in its middle. The CPU work is a fixed amount that is burnt in C, which is not slowed down by what else is in
memory. The bound is one core doing nothing but that, measured in the same round by calling it in a plain loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
from pathlib import Path
from time import perf_counter

from eventbraid import Event, ExternalProducer, Input, Job, Output, Producer
from eventbraid.sources import EmptySource
from eventbraid.studies.replay.standins import burn, steps_per_second

CPU_SECONDS, AWAY_SECONDS = 0.0004, 0.020
CPU_MODULES = 9
TARGET, STRETCH = 0.96, 0.98


def calibrated() -> int:
    """How many steps take 0.4 ms here, as a median: the machine's speed changes, and is followed for a while."""
    return round(CPU_SECONDS * steps_per_second(2.0))


class First(Producer):
    """CPU work without an input."""

    value = Output[int]()
    steps = 1

    async def produce(self, event: Event) -> None:
        burn(First.steps)
        event[self.value] = 1


class Then(Producer):
    """CPU work on an input."""

    before = Input[int]()
    value = Output[int]()

    async def produce(self, event: Event) -> None:
        burn(First.steps)
        event[self.value] = event[self.before] + 1


class Away(ExternalProducer[int, int]):
    """20 ms elsewhere."""

    before = Input[int]()
    value = Output[int]()

    async def acquire(self, event: Event) -> int:
        return event[self.before]

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(AWAY_SECONDS)
        return acquired + 1

    async def produce(self, event: Event, result: int) -> None:
        event[self.value] = result


def job_of(events: int, streams: int) -> Job:
    modules: dict[str, Producer | Away] = {}
    for chain in "abc":
        modules |= {
            f"{chain}1": First(),
            f"{chain}2": Then(before=f"{chain}1"),
            f"{chain}3": Away(before=f"{chain}2"),
            f"{chain}4": Then(before=f"{chain}3"),
        }
    return Job("w2", source=EmptySource(events=events), modules=modules, paths={"all": list(modules)}, streams=streams)


def bound(events: int) -> float:
    """Events a second of one core that only does the CPU work."""
    start = perf_counter()
    for _ in range(events * CPU_MODULES):
        burn(First.steps)
    return events / (perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    First.steps = calibrated()
    print(f"W2, Python {platform.python_version()}, {arguments.events} events, {arguments.rounds} rounds")
    shares: dict[str, list[float]] = {"blocking": [], "1": [], "4": [], "16": [], "64": []}
    for _ in range(arguments.rounds):
        for name, values in shares.items():
            events = arguments.events if name in ("16", "64") else arguments.events // 8
            before = bound(arguments.events // 4)
            job = job_of(events, 1 if name == "blocking" else int(name))
            report = job.run("blocking" if name == "blocking" else "async", timing=False)
            after = bound(arguments.events // 4)
            values.append(report.events_per_second / statistics.mean((before, after)))
    for name, values in shares.items():
        label = name if name == "blocking" else f"{name} in flight"
        print(f"{label:14} {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f}) of the CPU bound")
    held = all(statistics.median(shares[name]) >= TARGET for name in ("16", "64"))
    verdict = "held" if held else "MISSED"
    print(f"target: at least {TARGET} at 16 and at 64 in flight, stretch {STRETCH}: {verdict}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "overlap", "shares": shares, "held": held}, indent=2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
