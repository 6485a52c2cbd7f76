"""The model behind `eventbraid plan` beside clients that share emulated GPUs, from few of them to twice as many as fit.

An event has 380 ms of work in its client and one request of 20 ms of GPU time, so W (3) allows 20 clients a GPU if they
block. Work is a sleep that holds the client's core, so that a hundred clients run on this machine; the requests and the
server are real. Shown is the time between a client's events, measured over predicted: the median of the rounds with its
spread. The time that a request takes beside the GPU's is measured first, with one client, and given to the model.
In the last farm a client's work takes from half to one and a half times as long, at random, which the model leaves out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx
from onnx import TensorProto, helper

from eventbraid.inference import Server, TritonClient
from eventbraid.serving import EmbeddedServer
from eventbraid.studies.model import Farm, Workload

OTHER, GPU = 0.380, 0.020
SHARES = (0.25, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0)
"""Clients, as shares of those that saturate the GPUs."""
FARMS = ((Farm(gpus=1), 0.0), (Farm(gpus=4), 0.0), (Farm(gpus=4, streams=4), 0.0), (Farm(gpus=4), 0.5))
"""Each with how much its clients' work varies."""
INPUT = {"x": np.ones(3, np.float32)}


def make_model(folder: Path) -> Path:
    """A network of no work, whose time is the device's."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [x], [y])
    file = folder / "same" / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    return folder


async def time_between_events(client: TritonClient, clients: int, streams: int, spread: float, seconds: float) -> float:
    """Of each of so many clients, over so many seconds, once they have run for half as long."""
    draw = random.Random(1)
    ends: list[float] = []

    async def stream(core: asyncio.Lock, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            async with core:
                await asyncio.sleep(OTHER * draw.uniform(1 - spread, 1 + spread))
            await client.infer("same", INPUT)
            ends.append(perf_counter())

    async with asyncio.TaskGroup() as group:
        start = perf_counter()
        tasks: list[asyncio.Task[None]] = []
        for number in range(clients):
            core = asyncio.Lock()
            tasks += [group.create_task(stream(core, (OTHER + GPU) * number / clients)) for _ in range(streams)]
        await asyncio.sleep(1.5 * seconds)
        for task in tasks:
            task.cancel()
    inside = [end for end in ends if start + seconds / 2 < end]
    return clients * (inside[-1] - inside[0]) / (len(inside) - 1)


async def measured(farm: Farm, spread: float, models: Path, rounds: int, seconds: float) -> list[dict[str, object]]:
    """The predicted and measured times of a farm for each number of clients."""
    device = f"emulated:gpus={farm.gpus},t0={GPU}s,per_row=0,answers=zeros"
    found: list[dict[str, object]] = []
    async with EmbeddedServer([models], device=device) as server:
        client = TritonClient([Server(server.address, max_requests=10_000)])
        await client.infer("same", INPUT)
        alone = [await time_between_events(client, 1, 1, 0.0, seconds) for _ in range(rounds)]
        workload = Workload(other=OTHER, gpu=GPU, travel=max(0.0, statistics.median(alone) - OTHER - GPU))
        print(f"{farm.gpus} GPUs, {farm.streams} in flight, work +-{spread:.0%}: {1e3 * workload.travel:.1f} ms travel")
        for share in SHARES:
            clients = max(1, round(share * farm.saturation(workload)))
            predicted = float(farm.event_seconds(workload, clients))
            times = [await time_between_events(client, clients, farm.streams, spread, seconds) for _ in range(rounds)]
            ratios = sorted(time / predicted for time in times)
            found.append({"clients": clients, "predicted": predicted, "measured": times})
            print(
                f"  {clients:3} clients ({share:.2f} of saturation): {1e3 * predicted:6.1f} ms predicted, "
                f"{1e3 * statistics.median(times):6.1f} measured, "
                f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})",
                flush=True,
            )
        await client.aclose()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"plan, Python {platform.python_version()}, {arguments.rounds} rounds of {arguments.seconds:g} s")
    with tempfile.TemporaryDirectory() as folder:
        models = make_model(Path(folder))
        of_all = [measured(farm, spread, models, arguments.rounds, arguments.seconds) for farm, spread in FARMS]
        found = [asyncio.run(each) for each in of_all]
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "plan", "found": found}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
