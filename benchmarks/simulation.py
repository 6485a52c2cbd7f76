"""The published points of two papers, simulated: docs/simulation.md has the table. Some minutes on one core."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from eventbraid.studies.simulation import Result, Study, knee_of, simulate, sweep
from eventbraid.studies.simulation.published import deepcalo, facile, hlt, protodune, protodune_scaling, resnet50

ROWS: tuple[Literal[1693, 235], ...] = (1693, 235)


def show(name: str, result: Result) -> None:
    (use,) = result.servers.values()
    modules = ", ".join(f"{each.mean:.4g} s" for each in result.modules)
    print(
        f"{name:28} {result.clients:5} {result.events_per_second:9.2f} events/s, event {result.event.mean:.4g} s,"
        f" modules {modules}, GPUs {use.busy:.3f}, {use.rows_per_batch:.0f} rows a batch, {result.wall:.1f} s",
        flush=True,
    )


def knee(name: str, study: Study, clients: Sequence[int], module: int | None) -> None:
    results = sweep(study, clients, say=lambda each: show(name, each))
    times = [each.event.mean if module is None else each.modules[module].mean for each in results]
    print(f"{name:28} knee {knee_of(clients, times)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spread", type=float, nargs="*", default=[0.2], help="of the CPU times, from event to event")
    parser.add_argument("--events", type=int, default=20, help="of each ProtoDUNE client")
    options = parser.parse_args()
    for spread in options.spread:
        for rows in ROWS:
            study = protodune(rows, 1, events=options.events)
            study = replace(study, client=replace(study.client, spread=spread))
            clients = (50, 100, 150, 180, 200, 220, 250, 280, 330, 400)
            knee(f"protodune {rows}, spread {spread}", study, clients, 1)
            print(f"{'Eq. 4':28} saturation {protodune_scaling(rows).saturation(4):.1f}")
        trigger = hlt(1)
        trigger = replace(trigger, client=replace(trigger.client, spread=spread))
        knee(f"hlt, spread {spread}", trigger, (50, 100, 150, 200, 250, 300, 350, 400, 500), None)
    for gpus in (1, 4, 8):
        show(f"facile, {gpus} GPUs", simulate(facile(gpus, 150 * gpus)))
        show(f"resnet50, {gpus} GPUs", simulate(resnet50(gpus, 20 * gpus)))
    show("facile, 24 GPUs, 70 Gb/s", simulate(facile(24, 2000, events=30, bandwidth=70e9)))
    for clients in (20, 50, 200, 1000):
        for dynamic, instances in ((False, 1), (True, 1), (True, 5)):
            name = f"deepcalo, {f'dynamic, {instances} copies' if dynamic else 'alone'}"
            show(name, simulate(deepcalo(clients, dynamic=dynamic, instances=instances, events=200)))
    show("deepcalo, 3.9 Gb/s", simulate(deepcalo(1000, dynamic=True, events=200, bandwidth=3.9e9)))


if __name__ == "__main__":
    main()
