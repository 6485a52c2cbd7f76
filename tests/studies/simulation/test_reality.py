"""A study with real processes: the job and the models that are made of it, and what they measure."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from eventbraid.errors import ConfigurationError
from eventbraid.inference import TritonClient
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer
from eventbraid.serving.embedded.models.batching import Batching
from eventbraid.serving.emulation import parse_device
from eventbraid.serving.repository.layout import Repository
from eventbraid.studies.scale import Point
from eventbraid.studies.scale.crowd import CLIENT_VARIABLE
from eventbraid.studies.simulation import Ask, Client, Failure, Model, Network, Server, Study, Work, simulate
from eventbraid.studies.simulation.chance import beginnings, factors
from eventbraid.studies.simulation.reality import (
    ClientEvents,
    asking_seconds,
    calibrated,
    enact_async,
    write_job,
)
from eventbraid.testing import ListOutput

DEVICE = parse_device("emulated:gpus=2,t0=40ms,per_row=0us")


def study(*modules: Work | Ask, model: Model | None = None, network: Network | None = None, **client: float) -> Study:
    said = {"events": 3} | client
    made = Client(modules or (Work(0.01), Ask("m", 2)), **said)  # type: ignore[arg-type]
    return Study(made, 3, (Server("one", DEVICE, {"m": model or Model()}, network or Network()),))


def test_each_client_begins_and_has_events_as_its_simulated_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = study(stagger=5.0, spread=0.3)
    file = write_job(described, tmp_path)
    for number, beginning in enumerate(beginnings(described), start=1):
        monkeypatch.setenv(CLIENT_VARIABLE, str(number))
        source = load_job(file).source
        assert isinstance(source, ClientEvents)
        assert source.beginning == beginning.at
        (entries,) = source.remake(beginning=0.0).partitions()
        drawn = [entry.products["factor"] for entry in entries]
        assert drawn == list(islice(factors(described.client, beginning.seed), 3))


async def test_the_job_asks_as_often_and_as_much_as_the_study_says(tmp_path: Path) -> None:
    described = study(Work(0.0), Ask("m", 2, requests=3, before=0.001), Work(0.0), model=Model(row_bytes=7))
    job = load_job(write_job(described, tmp_path))
    output = ListOutput(keep=["module2"])
    async with EmbeddedServer(job.models, device="emulated:t0=0us,answers=zeros") as server:
        report = await replace(job.replace(servers=[server.address]), outputs=[output]).run_async("blocking")
        client = TritonClient([server.address])
        (spec,) = (await client.metadata("m")).inputs
        await client.aclose()
    assert [row.products["module2"] for row in output.rows] == [1.0] * 3
    (asked,) = report.inference["models"]
    assert asked["requests"] == 9
    assert spec.shape == (-1, 7)


async def test_the_models_answer_also_without_an_emulated_device(tmp_path: Path) -> None:
    job = load_job(write_job(study(model=Model(row_bytes=3, answer_bytes=5)), tmp_path))
    async with EmbeddedServer(job.models) as server:
        client = TritonClient([server.address])
        answer = await client.infer("m", {"x": np.ones((2, 3), np.uint8)})
        await client.aclose()
    assert answer["y"].tolist() == [[0] * 5] * 2


@pytest.mark.parametrize("batching", [Batching(0), Batching(16), Batching(32, (8, 16), 0.003)])
def test_the_models_batch_as_the_study_says(tmp_path: Path, batching: Batching) -> None:
    write_job(study(model=Model(batching, instances=3)), tmp_path)
    (entry,) = Repository.open([tmp_path / "models"]).models
    assert Batching.of(entry.config) == batching
    assert entry.max_batch_size == (batching.most or 2)
    assert [each.count for each in entry.config.instance_group] == [3]


async def test_what_real_processes_cannot_be_is_told_at_once() -> None:
    one = study()
    server = replace(one.servers[0], failures=(Failure(1.0),), network=Network(client=1e6), max_requests=3)
    with pytest.raises(ConfigurationError) as caught:
        await enact_async(replace(one, servers=(server, replace(server, name="two")), choice="random"), [1])
    told = str(caught.value)
    for each in (
        "must be one, not 2",
        "no choice 'random'",
        "'one': fails",
        "has a link for each client",
        "has max_requests",
    ):
        assert each in told


async def test_a_study_is_measured_with_a_process_for_each_client(tmp_path: Path) -> None:
    described = study(Work(0.02), Ask("m", 2), network=Network(0.01), events=6, stagger=0.07)
    found = await enact_async(described, [2], folder=tmp_path)
    assert [point.clients for point in found.points] == [1, 2]
    for point in found.points:
        assert (point.events, point.failed) == (6 * point.clients, 0)
        assert 0.05 < point.module_seconds < 0.5
        assert 0.07 < point.event_seconds < 0.5
    again = await enact_async(described, [2], folder=tmp_path)
    assert again.points == found.points


def test_a_calibrated_study_takes_one_client_as_long_as_was_measured() -> None:
    described = study(Work(0.1), Ask("m", 2, requests=3), Work(0.1), events=10, spread=0.2)
    one = Point(
        1, 2, 10, 0, 1.0, 2.5, event_seconds=0.4, module_seconds=0.15, module_p95=0.05, machine=0.1, server_queue=None
    )
    found = calibrated(described, one)
    result = simulate(replace(found, clients=1))
    assert asking_seconds(found, result) == pytest.approx(0.15)
    assert found.servers[0].network.latency == pytest.approx(0.01)
    assert result.event.median == pytest.approx(0.4, rel=0.02)
    fast = replace(one, event_seconds=0.1, module_seconds=0.05)
    assert simulate(calibrated(described, fast)).event == simulate(described).event


@pytest.mark.slow
async def test_up_to_twelve_clients_are_as_fast_as_simulated() -> None:
    """The margin is that of a machine with other work; `make bench-crowd` has the figures."""
    described = study(Work(0.3), Ask("m", 2), events=20, stagger=0.34)
    measured = await enact_async(described, [4, 12])
    twin = calibrated(described, measured.points[0])
    for point in measured.points:
        result = simulate(replace(twin, clients=point.clients))
        print(f"{point.clients}: {point.event_seconds:.4f} s, simulated {result.event.mean:.4f} s")
        assert point.events_per_second == pytest.approx(result.events_per_second, rel=0.1)
        assert point.event_seconds == pytest.approx(result.event.median, rel=0.1)
        assert point.module_seconds == pytest.approx(asking_seconds(twin, result), rel=0.2)
