"""The whole job: the same products in every mode and with every server, and events that lack everything."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from real_triton import require_triton

from eventbraid import Job, ModuleError
from eventbraid.errors import RequestError
from eventbraid.job import Mode
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.protodune import (
    CosmicSource,
    Deconvolution,
    Detector,
    EmTrackMichelId,
    GeometricId,
    HitFinder,
    Patches,
    Waveforms,
)

ROOT = Path(__file__).parents[3]
SMALL = {"wires": 120, "ticks": 600, "crossing": 1.0, "stopping": 0.5, "showers": 0.2}
MODES: tuple[Mode, ...] = ("async", "blocking", "threads")


@pytest.fixture(autouse=True)
def nothing_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the models that were built on this machine, or leaves a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path / "cache"))


def example(events: int = 4, **changes: Any) -> Job:
    """The job of the example on a smaller detector."""
    job = load_job(ROOT / "examples/protodune.py")
    return replace(job, source=CosmicSource(events=events, **SMALL), modules={**job.modules, **changes})


def scores(job: Job, mode: Mode = "async") -> tuple[list[Any], dict[str, Any]]:
    """The scores of each event, in their order, and the figures."""
    output = ListOutput(keep=["identification"])
    report = replace(job, outputs=[output]).run(mode)
    rows = sorted(output.rows, key=lambda row: row.id)
    return [row.products["identification"] for row in rows], dict(report.figures["study"])


@pytest.mark.parametrize("batch_size", [235, 1693])
def test_every_mode_gives_the_same_scores_and_figures(untrained: Path, batch_size: int) -> None:
    network = EmTrackMichelId(model="emtrackmichelid", batch_size=batch_size)
    job = example(identification=network)
    job = replace(job, models=[untrained])
    (first, figures), *others = (scores(job, mode) for mode in MODES)
    assert sum(map(len, first)) == figures["hits"] > 400
    for found, same in others:
        assert all(np.array_equal(one, other) for one, other in zip(first, found, strict=True))
        assert same == figures


@pytest.mark.triton
async def test_the_real_triton_gives_the_scores_of_the_embedded_server_in_both_modes(
    untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # Triton itself is kept in the cache folder
    require_triton()
    found: list[Any] = []
    for server in (EmbeddedServer([untrained]), TritonServer([untrained])):
        async with server:
            for mode in ("async", "blocking"):
                output = ListOutput(keep=["identification"])
                await replace(example(), outputs=[output], servers=[server.address]).run_async(mode)
                found.append({row.id: row.products["identification"] for row in output.rows})
    assert all(found[0].keys() == other.keys() for other in found)
    assert all(np.array_equal(found[0][each], other[each]) for other in found for each in other)


async def test_a_request_has_as_many_patches_as_the_batch_size_says(untrained: Path) -> None:
    async with EmbeddedServer([untrained]) as server:
        job = example(identification=EmTrackMichelId(model="emtrackmichelid", batch_size=100))
        report = await job.replace(servers=[server.address]).run_async()
    (account,) = report.inference["models"]
    hits = int(report.figures["study"]["hits"])
    assert account["rows"] == hits
    assert hits / 100 <= account["requests"] < hits / 100 + 4


def test_the_rule_takes_the_networks_place_by_one_word_and_needs_no_server() -> None:
    job = example(12, identification=GeometricId())
    (first, figures), *others = (scores(job, mode) for mode in MODES)
    assert figures["mean of the diagonal, %"] > 50
    for found, same in others:
        assert all(np.array_equal(one, other) for one, other in zip(first, found, strict=True))
        assert same == figures


def test_an_event_without_hits_passes_with_empty_products_and_asks_nobody(untrained: Path) -> None:
    detector = Detector(wires=60, ticks=400)
    dead = Waveforms(np.zeros((detector.channels, detector.ticks), np.uint16), detector)
    modules = {
        "signals": Deconvolution(waveforms="waveforms"),
        "hits": HitFinder(),
        "patches": Patches(),
        "network": EmTrackMichelId(model="emtrackmichelid"),
        "rule": GeometricId(),
    }
    output = ListOutput(keep=["hits", "patches", "network", "rule"])
    job = Job("t", source=ListSource([{"waveforms": dead}]), modules=modules, outputs=[output], models=[untrained])
    assert job.run().events.passed == 1
    (row,) = output.rows
    assert len(row.products["hits"]) == 0
    assert row.products["patches"].shape == (0, 48, 48)
    assert row.products["network"].shape == row.products["rule"].shape == (0, 4)


def test_a_model_of_another_shape_is_an_error_that_says_both_shapes(untrained: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    folder = tmp_path / "emtrackmichelid"
    (folder / "1").mkdir(parents=True)
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 40, 40, 1])] for name in ("patches", "y")]
    node = helper.make_node("Identity", ["patches"], ["y"])
    graph = helper.make_graph([node], "other", *ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "1/model.onnx"))
    (folder / "config.pbtxt").write_text('platform: "onnxruntime_onnx"\nmax_batch_size: 8\n')
    with pytest.raises(ModuleError, match=r"\[\d+,48,48,1\], not \[-1,40,40,1\]"):
        replace(example(), models=[tmp_path]).run()


def test_a_job_without_the_model_is_told_so_before_the_first_event() -> None:
    with pytest.raises(RequestError, match="no model 'emtrackmichelid'"):
        example().run()


def test_two_modules_of_the_detector_are_two_of_everything() -> None:
    hits = []
    for modules in (1, 2):
        source = CosmicSource(events=6, modules=modules, **SMALL)
        _, figures = scores(replace(example(identification=GeometricId()), source=source))
        hits.append(int(figures["hits"]))
    assert 1.2 * hits[0] < hits[1] < 4 * hits[0]
