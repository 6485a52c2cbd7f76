"""Clients as real processes against emulated GPUs: measured, kept, gone on with, interrupted."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from networks import make_repository

from eventbraid import ConfigurationError, EventbraidError
from eventbraid.cli import main
from eventbraid.studies.scale import Point, scale_async

JOB = """
import numpy as np
from eventbraid import Event, Job, Output
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid.sources import EmptySource


class Sum(InferenceProducer):
    total = Output[float]()

    async def acquire(self, event: Event) -> Tensors:
        {acquire}
        return {{"x": np.ones((1, 3), np.float32)}}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = float(response["total"].sum())


job = Job(
    "sums",
    source=EmptySource(events=30),
    modules={{"sum": Sum(model="sum")}},
    paths={{"p": ["sum"]}},
    models=[{models!r}],
)
"""
DEVICE = "emulated:t0=0us,per_row=30ms"


def write_job(folder: Path, acquire: str = "pass") -> Path:
    make_repository(folder / "models")
    (folder / "models/sum/config.pbtxt").write_text('name: "sum"\nmax_batch_size: 64\n')  # requests are not joined
    file = folder / "sums.py"
    file.write_text(JOB.format(models=str(folder / "models"), acquire=acquire))
    return file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job whose module waits for a GPU, beside it the results of studies."""
    monkeypatch.chdir(tmp_path)
    return write_job(tmp_path)


async def measure(file: Path, clients: list[int], **settings: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    settings = {"mode": "blocking", "device": DEVICE, "say": said.append, **settings}
    return await scale_async(file, clients, **settings), said


async def test_a_gpu_that_is_full_gives_all_clients_no_more_than_its_plateau_and_two_give_twice(file: Path) -> None:
    scaling, _ = await measure(file, [1, 3], gpus=[2, 1])
    assert [(point.gpus, point.clients) for point in scaling.points] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    one, full, _, both = scaling.points
    assert [point.events for point in scaling.points] == [30, 90, 30, 90]
    assert one.events_per_second < 34
    assert 20 < full.events_per_second < 34  # 30 ms a row: 33 a second
    assert full.module_seconds > 2 * one.module_seconds
    assert both.events_per_second > 1.3 * full.events_per_second
    assert full.server_queue is not None
    assert full.server_queue > 0.02
    assert scaling.risen(1) == 3
    assert scaling.knee(1) is None
    assert scaling.saturation(1) == pytest.approx(1.2, abs=0.4)
    assert scaling.saturation(2) == pytest.approx(2 * scaling.saturation(1))
    for point in (one, full):
        expected = scaling.expected(point)
        assert (expected.events_per_second, expected.module_seconds) == pytest.approx(
            (point.events_per_second, point.module_seconds), rel=0.3
        )


async def test_an_interrupted_study_gives_its_finished_points_and_goes_on_with_the_rest(file: Path) -> None:
    def told(done: int, of: int, point: Point) -> None:
        task.cancel()

    task = asyncio.create_task(measure(file, [1, 2], events=5, told=told))
    first, _ = await task
    assert first.interrupted
    assert [point.clients for point in first.points] == [1]
    whole, said = await measure(file, [1, 2], events=5)
    assert said[1:] == ["2 clients, 1 GPU"]
    assert said[0].startswith("embedded server at 127.0.0.1:")
    again, said = await measure(file, [1, 2], events=5)
    assert (again.points, said) == (whole.points, [])
    assert whole.points[:1] == first.points
    assert [point.clients for point in whole.points] == [1, 2]
    assert not whole.interrupted


@pytest.mark.parametrize(
    ("acquire", "words"),
    [
        ("raise ValueError('a bad hit')", "a bad hit"),
        ("import os; os._exit(7)", "its process ended with 7"),
        ("import os; raise ValueError('number ' + os.environ['EVENTBRAID_CLIENT'])", "number 1"),
    ],
)
async def test_a_client_that_fails_ends_the_study_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acquire: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EventbraidError, match=rf"client 1.*{words}"):
        await measure(write_job(tmp_path, acquire), [1])


@pytest.mark.parametrize(
    ("clients", "settings", "words"),
    [
        ([], {}, "names no number of clients"),
        ([0], {}, "--clients: must be numbers from 1 on, not 0"),
        ([1], {"device": "emulated:v101"}, "v101"),
        ([1], {"mode": "asinc"}, "there is no mode 'asinc' .did you mean 'async'"),
        ([1], {"gpus": [-1]}, "--gpus: must be numbers from 1 on, not -1"),
        ([1], {"gpus": [1], "servers": ["127.0.0.1:1"]}, "is of a server that this command starts"),
    ],
)
async def test_what_cannot_be_measured_is_said_before_anything_runs(
    file: Path, clients: list[int], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await measure(file, clients, **settings)
    assert not (file.parent / "scale-sums").exists()


def test_the_command_writes_table_json_and_picture(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    command = f"eventbraid scale {file} --clients 2 --events 10 --mode blocking --device {DEVICE} --gpus 1"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--plot", "scale.png", "--json", "scale.json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    said = capsys.readouterr().err
    assert "one event in flight" in said
    assert "one client was measured too" in said
    written = json.loads(Path("scale.json").read_text())
    assert [point["clients"] for point in written["points"]] == [1, 2]
    assert written["points"][1]["expected"]["events_per_second"] > 0
    assert Path("scale.png").read_bytes().startswith(b"\x89PNG")
