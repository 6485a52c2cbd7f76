"""The whole workflow: one job, every mode, every server, and the rule in the network's place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow.parquet as parquet
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
sys.path.insert(0, str(Path(__file__).parent))
from handmade import of_rows
from real_triton import require_triton

from eventbraid import Job, ModuleError
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.collisions.generation import Collision
from eventbraid_modules.toptag import ResNetTagger, ShapeTagger, Tops
from eventbraid_modules.toptag.train_toptag import MODEL

EXAMPLE = Path(__file__).parents[3] / "examples/toptag.py"
MODES = ("async", "threads", "blocking")


def example(collisions: Sequence[Collision], **changes: Any) -> tuple[Job, ListOutput]:
    job, output = load_job(EXAMPLE), ListOutput(keep=["scores", "shapes", "jetImages"])
    source = ListSource([event._asdict() for event in collisions], products=["particles", "tops"])
    modules = {**job.modules, **changes}
    return replace(job, source=source, modules=modules, models=[MODEL.parent], outputs=[output]), output


def scores(output: ListOutput, name: str = "scores") -> list[list[float]]:
    found = [row.products[name].score.tolist() for row in sorted(output.rows, key=lambda row: row.id)]
    output.rows.clear()
    return found


def test_the_network_rejects_more_than_the_rule_and_both_what_is_stated(collisions: list[Collision]) -> None:
    job, _ = example(collisions)
    figures = job.run().figures
    network, rule = figures["performance"], figures["performanceOfShapes"]
    assert network["jets"] == rule["jets"]
    assert int(network["jets of top quarks"]) > 50
    assert float(network["area under the ROC curve"]) > float(rule["area under the ROC curve"])
    assert float(network["area under the ROC curve"]) > 0.9
    assert float(rule["area under the ROC curve"]) > 0.8


async def test_products_and_figures_are_the_same_in_all_modes(collisions: list[Collision]) -> None:
    job, output = example(collisions[:25])
    async with EmbeddedServer([MODEL.parent]) as server:
        asked = job.replace(servers=[server.address])
        found: list[Any] = []
        for mode in MODES:
            report = await asked.run_async(mode)
            assert report.events.read == report.events.passed == 25
            found.append((scores(output), report.figures))
    assert all(each == found[0] for each in found)
    assert sum(map(len, found[0][0])) == found[0][1]["performance"]["jets"] > 25


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: EmbeddedServer([MODEL.parent]), id="embedded"),
        pytest.param(lambda: TritonServer([MODEL.parent]), id="Triton", marks=pytest.mark.triton),
    ],
)
async def test_each_server_gives_what_the_model_gives_in_this_process(
    collisions: list[Collision], make: Callable[[], Any], request: pytest.FixtureRequest
) -> None:
    if "Triton" in request.node.callspec.id:
        require_triton()
    job, output = example(collisions[:10])
    async with make() as server:
        await job.replace(servers=[server.address]).run_async()
    session = onnxruntime.InferenceSession(MODEL / "1/model.onnx", providers=["CPUExecutionProvider"])
    assert len(output.rows) == 10
    for row in output.rows:
        (found,) = session.run(["score"], {"image": row.products["jetImages"].pixels})
        assert found[:, 0] == pytest.approx(row.products["scores"].score, abs=1e-6)


def test_an_event_without_jets_passes_with_empty_products_and_makes_no_call() -> None:
    nothing = Collision(of_rows([]), Tops(*(np.zeros(0, np.float32) for _ in range(3))))
    job, output = example([nothing, nothing._replace(particles=of_rows([(3, 0, 0)]))])
    report = job.run()
    assert report.events.passed == 2
    assert sum(account["requests"] for account in report.inference["models"]) == 0
    assert report.figures["performance"] == {"jets": 0, "jets of top quarks": 0}
    assert scores(output) == [[], []]


def test_the_rule_takes_the_networks_place_by_one_word_and_needs_no_server(collisions: list[Collision]) -> None:
    job, output = example(collisions[:40], scores=ShapeTagger())
    report = replace(job, models=[]).run()
    assert report.inference == {}
    assert report.figures["performance"] == report.figures["performanceOfShapes"]
    assert all(0 <= each <= 1 for row in scores(output) for each in row)


def test_images_of_another_size_than_the_models_are_told_with_both(collisions: list[Collision]) -> None:
    job, _ = example(collisions[:3])
    with pytest.raises(ModuleError, match=r"module 'scores'(.|\n)*image.*3,48,48\](.|\n)*3,32,32\]"):
        job.replace(settings={"jetImages.size": 48}).run()


def test_a_particle_that_is_none_is_told_and_the_other_events_pass(collisions: list[Collision]) -> None:
    bad = of_rows([(500, 0, 1), (600, 1, np.nan)])
    job, output = example([collisions[0], collisions[1]._replace(particles=bad), collisions[2]])
    report = replace(job, on_error="skip").run()
    assert (report.events.failed, len(output.rows)) == (1, 2)
    with pytest.raises(ModuleError, match=r"event 1:1:2(.|\n)*particle 1 of 2 has .*phi nan"):
        job.run()


def test_a_model_that_was_not_built_is_told_before_the_first_event(
    collisions: list[Collision], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path))
    job, output = example(collisions[:3], scores=ResNetTagger(model="resnet51"))
    with pytest.raises(Exception, match="there is no model 'resnet51'"):
        job.run()
    assert output.rows == []


def test_the_example_writes_what_it_found_beside_the_truth(
    collisions: list[Collision], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job, _ = example(collisions[:4])
    replace(job, outputs=load_job(EXAMPLE).outputs).run()
    table = parquet.read_table("toptag.parquet")
    assert {"tops.pt", "tops.eta", "tops.phi", "scores.score", "shapes.score"} <= set(table.column_names)
    assert table.num_rows == 4
