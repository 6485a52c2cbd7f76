"""The servers of a study: one for each distance, without the way round through shared memory; or those that are named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from networks import make_repository

from eventbraid import ConfigurationError
from eventbraid.serving import EmbeddedServer
from eventbraid.studies import Comparison, Point, Study, compare, compare_async

JOB = """
import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Job, Output, Parameter
from eventbraid.inference import RaggedInferenceProducer, Tensors
from eventbraid.outputs import ParquetOutput
from eventbraid.sources import EmptySource


class Sums(RaggedInferenceProducer):
    size = Parameter(2)
    total = Output[NDArray[np.float32]]()

    def acquire(self, event: Event) -> list[Tensors]:
        numbers = event.random(self).random((self.size, 3), np.float32)
        return [{"x": numbers}, {"x": 2 * numbers}]

    def produce(self, event: Event, result: list[Tensors]) -> None:
        event[self.total] = np.concatenate([each["total"][:, 0] for each in result])


job = Job(
    "sums",
    source=EmptySource(events=12),
    modules={"sums": Sums(model="sum")},
    outputs=[ParquetOutput("sums.parquet", keep=["sums"])],
    models=["models"],
    streams=6,
)
"""


@pytest.fixture
def job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("EVENTBRAID_SERVERS", raising=False)
    monkeypatch.chdir(tmp_path)
    make_repository(tmp_path / "models")
    (tmp_path / "job.py").write_text(JOB)
    return tmp_path / "job.py"


def median(comparison: Comparison, point: Point) -> float:
    return comparison.figures[point].latency


@pytest.fixture
def studied(job_file: Path) -> Comparison:
    return compare(
        job_file,
        modes=["blocking", "local", "async"],
        distances=[0, 0.2],
        repeats=1,
        picture=None,
        say=lambda line: None,
    )


def test_the_distance_is_added_to_every_answer_and_changes_none(studied: Comparison) -> None:
    near, far = (Point("blocking", 1, distance) for distance in (0, 0.2))
    assert studied.identical
    assert median(studied, far) > 0.2 > median(studied, near)
    network = studied.loads[far]["sum", "embedded, 200 ms away"].network
    assert 0.2 < network < 0.4
    gain = studied.speed_up(Point("async", 6, 0.2))
    assert gain is not None
    assert gain.median > 2
    assert studied.bounds()[1].latency > 0.2
    assert [each.distance for each in studied.bounds()] == [0, 0.2]
    (local,) = (runs for point, runs in studied.runs.items() if point.mode == "local")
    (asked,) = local[0].report["inference"]["models"]
    assert (asked["server"], asked["requests"]) == ("in this process", 24)


def test_a_bandwidth_holds_for_tensors_that_would_lie_in_shared_memory(job_file: Path) -> None:
    (job_file.parent / "models/sum/config.pbtxt").write_text('name: "sum"\nmax_batch_size: 40000\n')
    rows = 40_000  # 480 kB a request, 2 requests: 77 ms at 100 Mbps
    wide = compare(
        job_file,
        modes=["blocking"],
        bandwidth=1e8,
        events=3,
        repeats=1,
        settings={"sums.size": rows},
        picture=None,
        say=lambda line: None,
    )
    assert median(wide, Point("blocking")) > 2 * 12 * rows * 8 / 1e8
    (load,) = wide.runs[Point("blocking")][0].report["inference"]["models"]
    assert load["in_memory"] == 0


async def test_a_server_that_has_no_rest_is_named_with_its_plateau(job_file: Path) -> None:
    (job_file.parent / "models/sum/config.pbtxt").write_text('name: "sum"\nmax_batch_size: 64\n')
    async with EmbeddedServer(["models"], device="emulated:t0=20ms,per_row=0us") as server:
        found = await compare_async(
            job_file, events=40, repeats=1, servers=[server.address], picture=None, say=lambda line: None
        )
    said = found.saturated[-1]
    assert f"async, 6 in flight: {server.address}, model 'sum', is saturated at " in said
    (bound,) = found.bounds()
    assert bound.by_server
    assert bound.server == pytest.approx(25, rel=0.1)  # two requests an event, 20 ms each
    assert bound.reached > 0.8


def test_a_distance_cannot_be_added_to_a_server_that_is_named(job_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"--distance: is of the server that this command starts itself"):
        Study(job_file, distances=[0.01], servers=["gpu1:8001"])
    monkeypatch.setenv("EVENTBRAID_SERVERS", "gpu1:8001")
    with pytest.raises(ConfigurationError, match=r"--bandwidth: is of the server .*leave out --server"):
        Study(job_file, bandwidth=1e9)


def test_a_job_that_asks_no_model_has_no_distance_and_no_local_mode(job_file: Path) -> None:
    job_file.write_text(
        "from eventbraid import Job\nfrom eventbraid.sources import EmptySource\n"
        "job = Job('none', source=EmptySource(events=1), modules={})\n"
    )
    with pytest.raises(ConfigurationError) as raised:
        Study(job_file, modes=["local"], distances=[0.0], bandwidth=1.0, picture=None)
    assert [str(fault) for fault in raised.value.faults] == [
        "--bandwidth: no module of job 'none' asks an inference server",
        "--mode local: no module of job 'none' asks a model: it is the same as blocking",
    ]
    with pytest.raises(ConfigurationError, match="--distance: no module of job 'none' asks an inference server"):
        Study(job_file, distances=[0.0], picture=None)


@pytest.mark.parametrize("bandwidth", [0.1, -1.0, float("nan"), float("inf")])
def test_a_bandwidth_that_lets_nothing_through_is_a_fault(job_file: Path, bandwidth: float) -> None:
    with pytest.raises(ConfigurationError, match="--bandwidth: must be at least 1 bit a second"):
        Study(job_file, bandwidth=bandwidth, picture=None)
