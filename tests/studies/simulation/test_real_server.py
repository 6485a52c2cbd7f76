"""What is simulated is what clients in real time measure of a real server with emulated GPUs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

import eventbraid_modules.models
from eventbraid.inference import TritonClient
from eventbraid.serving import EmbeddedServer
from eventbraid.serving.emulation import parse_device
from eventbraid.studies.simulation import Ask, Batching, Client, Model, Network, Server, Study, Work, simulate

DEVICE = "emulated:gpus=2,t0=40ms,answers=zeros"
WORK = 0.2
EVENTS = 25
SETTLED = 8


@pytest.fixture
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """FACILE, with or without dynamic batching."""
    shutil.copytree(Path(eventbraid_modules.models.__path__[0]) / "facile", tmp_path / "facile")
    most = request.param.most
    text = f"max_batch_size: {most or 1000}\n" + ("dynamic_batching { }\n" if most else "")
    (tmp_path / "facile" / "config.pbtxt").write_text(text)
    return tmp_path


async def measured(address: str, clients: int) -> float:
    """The mean time of an event whose work is to sleep, over the events after the first ones, in seconds."""
    client, took = TritonClient([address]), list[float]()
    try:
        (spec,) = (await client.metadata("facile")).inputs
        inputs = {spec.name: np.zeros((100, *spec.shape[1:]), np.float32)}

        async def work(number: int) -> None:
            await asyncio.sleep(WORK * number / clients)
            for event in range(EVENTS):
                began = perf_counter()
                await asyncio.sleep(WORK)
                await client.infer("facile", inputs)
                if event >= SETTLED:
                    took.append(perf_counter() - began)

        await asyncio.gather(*(work(number) for number in range(clients)))
    finally:
        await client.aclose()
    return float(np.mean(took))


@pytest.mark.slow
@pytest.mark.parametrize("repository", [Batching(0), Batching(1000)], indirect=True, ids=["alone", "joined"])
async def test_a_real_server_is_as_fast_as_the_simulated_one(repository: Path, request: pytest.FixtureRequest) -> None:
    """One client gives the time of the way; with it, four to twenty-four are foreseen within 5 %."""
    batching: Batching = request.node.callspec.params["repository"]
    async with EmbeddedServer(models=[repository], device=DEVICE) as server:
        way = await measured(server.address, 1) - WORK - 0.04
        found = {clients: await measured(server.address, clients) for clients in (4, 8, 16, 24)}
    for clients, seconds in found.items():
        simulated = Server("one", parse_device(DEVICE), {"facile": Model(batching)}, Network(max(way, 0.0)))
        client = Client((Work(WORK), Ask("facile", 100)), EVENTS, stagger=WORK)
        result = simulate(Study(client, clients, (simulated,)))
        print(f"{clients} clients: {seconds:.4f} s, simulated {result.event.mean:.4f} s")
        assert result.event.mean == pytest.approx(seconds, rel=0.05)
