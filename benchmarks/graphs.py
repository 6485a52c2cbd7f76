"""How well waiting is hidden in a large graph: a reconstruction's data flow, events a second over the CPU bound.

The data flow of CMS reconstruction as Gaudi's studies use it: 707 algorithms, their times divided by 1,000, 70 of
them, drawn at random, away for 0.9 of their time, 16 events in flight. Each algorithm is played by a stand-in
(eventbraid.studies.replay, which also says what the bound is). Without the files a data flow of that size is made up:
as many algorithms, layers and reads, log-normal times of the same spread and sum.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from random import Random

from eventbraid.errors import ConfigurationError
from eventbraid.studies import Algorithm, Dataflow, Offload, read_dataflow, read_times, replay

ALGORITHMS, LAYERS, MOST_READS, LAST_READS = 707, 150, 6, 298
LOG_SPREAD, SECONDS = 2.7, 13.3
OFFLOAD, SCALE, IN_FLIGHT = Offload(70, 0.9), 0.001, 16
TARGET, STRETCH = 0.95, 0.98


def synthetic(seed: int = 1) -> tuple[Dataflow, dict[str, float]]:
    """A reconstruction-like data flow and its times: each algorithm reads from the layer before and any before that."""
    random = Random(seed)
    layers: list[list[str]] = [[] for _ in range(LAYERS)]
    for number in range(ALGORITHMS - 1):
        layers[number * LAYERS // ALGORITHMS].append(f"a{number}")
    algorithms: list[Algorithm] = []
    earlier: list[str] = []
    for layer, previous in zip(layers, [[], *layers], strict=False):
        earlier += previous
        for name in layer:
            reads = (
                [random.choice(previous), *random.choices(earlier, k=random.randrange(MOST_READS))] if earlier else []
            )
            algorithms.append(
                Algorithm(name, tuple(f"{each}-data" for each in dict.fromkeys(reads)), (f"{name}-data",))
            )
    read = tuple(f"{name}-data" for name in random.sample([each.name for each in algorithms], LAST_READS))
    algorithms.append(Algorithm("output", read))
    times = {algorithm.name: random.lognormvariate(0, LOG_SPREAD) for algorithm in algorithms}
    total = sum(times.values())
    return Dataflow("synthetic", tuple(algorithms)), {name: SECONDS * time / total for name, time in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graph", type=Path, help="GraphML of the data flow")
    parser.add_argument("--times", type=Path, help="JSON of the seconds of each algorithm")
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if (arguments.graph is None) != (arguments.times is None):
        parser.error("--graph and --times belong together")
    try:
        given = (read_dataflow(arguments.graph), read_times(arguments.times)) if arguments.graph else synthetic()
    except ConfigurationError as error:
        parser.error(str(error))
    found = replay(
        *given, offload=OFFLOAD, scale=SCALE, events=arguments.events, streams=IN_FLIGHT, runs=arguments.rounds
    )
    print(f"{found.job}, Python {platform.python_version()}, {arguments.events} events, {arguments.rounds} rounds")
    work = f"{1000 * found.cpu_seconds:.2f} ms of CPU, {1000 * found.away_seconds:.2f} ms away"
    print(f"an event: {found.algorithms} algorithms, {len(found.away)} of them away; {work}")
    for mode, label in (("blocking", "blocking"), ("async", f"{IN_FLIGHT} in flight")):
        share = found.of_bound(mode)
        own = found.of_called(mode)
        print(
            f"{label:14} {share.median:.3f} ({share.least:.3f}-{share.most:.3f}) of the CPU bound,"
            f" {own.median:.3f} ({own.least:.3f}-{own.most:.3f}) of the modules called by themselves"
        )
    alone = found.called_of_bound()
    print(f"{'no scheduler':14} {alone.median:.3f} ({alone.least:.3f}-{alone.most:.3f}) of the CPU bound")
    held = found.of_bound("async").median >= TARGET
    print(f"target: at least {TARGET} at {IN_FLIGHT} in flight, stretch {STRETCH}: {'held' if held else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "graphs", **found.to_dict(), "held": held}, indent=2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
