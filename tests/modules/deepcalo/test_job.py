"""The whole workflow: one job, every mode, every server, and the rule in the network's place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as parquet
import pytest
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from real_triton import require_triton

from eventbraid import Job, ModuleError
from eventbraid.errors import RequestError
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer
from eventbraid.testing import ListOutput
from eventbraid_modules.deepcalo import DeepCaloEnergies, ElectronSource, SummedEnergies

EXAMPLE = Path(__file__).parents[3] / "examples/deepcalo.py"


@pytest.fixture(autouse=True)
def no_other_models(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is built on this machine is not found; Triton's own environment is in the same folder."""
    if "triton" not in request.keywords:
        monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path))


def example(models: Path, events: int = 30, each: int = 5) -> tuple[Job, ListOutput]:
    output = ListOutput(keep=["energies", "sums"])
    job = replace(load_job(EXAMPLE), models=[models], outputs=[output])
    return replace(job, source=ElectronSource(events=events, count_each=each)), output


def energies(output: ListOutput, name: str = "energies") -> list[list[float]]:
    found = [row.products[name].tolist() for row in sorted(output.rows, key=lambda row: row.id)]
    output.rows.clear()
    return found


async def test_products_and_figures_are_the_same_in_all_modes_with_dynamic_batching_and_without(models: Path) -> None:
    job, output = example(models)
    unbatched = {**job.modules, "energies": DeepCaloEnergies(model="deepcalo_unbatched")}
    async with EmbeddedServer([models]) as server:
        asked = job.replace(servers=[server.address])
        found: list[Any] = []
        for each in (asked, replace(asked, modules=unbatched)):
            for mode in ("async", "threads", "blocking"):
                report = await each.run_async(mode)
                assert report.events.read == report.events.passed == 30
                found.append((energies(output), report.figures))
    assert all(each == found[0] for each in found)
    assert found[0][1]["resolution"]["electrons"] == 150
    assert {len(each) for each in found[0][0]} == {5}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda models: EmbeddedServer([models], device="emulated:v100"), id="emulated"),
        pytest.param(lambda models: TritonServer([models]), id="Triton", marks=pytest.mark.triton),
    ],
)
async def test_each_server_gives_what_the_model_gives_in_this_process(
    models: Path, make: Callable[[Path], Any], request: pytest.FixtureRequest
) -> None:
    if "Triton" in request.node.callspec.id:
        require_triton()
    job, output = example(models, events=10)
    output.keep = ["energies", "images"]
    async with make(models) as server:
        await job.replace(servers=[server.address]).run_async()
    session = onnxruntime.InferenceSession(models / "deepcalo/1/model.onnx", providers=["CPUExecutionProvider"])
    for row in output.rows:
        (found,) = session.run(["energy"], {"image": row.products["images"].pixels})
        assert np.array_equal(found[:, 0], row.products["energies"])
    assert len(output.rows) == 10


def test_events_without_electrons_pass_with_no_energies(models: Path) -> None:
    job, output = example(models, events=3, each=0)
    report = job.run()
    assert report.events.passed == 3
    assert report.figures["resolution"] == {"electrons": 0}
    assert energies(output) == [[], [], []]


def test_the_sums_take_the_networks_place_by_one_word_and_need_no_server(models: Path) -> None:
    job, output = example(models)
    report = replace(job, modules={**job.modules, "energies": SummedEnergies()}, models=[]).run()
    assert report.events.passed == 30
    assert [row.products["energies"].shape for row in output.rows] == [(5,)] * 30
    assert report.figures["resolution"] == report.figures["resolutionOfSums"]
    assert float(report.figures["resolution"]["resolution, %"]) < 4


def test_the_untrained_network_has_worse_figures_than_the_sums(models: Path) -> None:
    job, _ = example(models)
    figures = job.run().figures
    assert float(figures["resolution"]["resolution, %"]) > float(figures["resolutionOfSums"]["resolution, %"])


def test_the_example_writes_what_it_found_beside_the_truth(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    replace(load_job(EXAMPLE), models=[models]).replace(events=3).run()
    table = parquet.read_table("deepcalo.parquet")
    assert {"electrons.energy", "electrons.eta", "electrons.phi", "energies", "sums"} <= set(table.column_names)
    assert [len(each) for each in table.column("energies").to_pylist()] == [5, 5, 5]


def other_shape(folder: Path) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 56, 10, 4])
    energy = helper.make_tensor_value_info("energy", TensorProto.FLOAT, ["batch", 1])
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["energy"], axes=[1], keepdims=1),
    ]
    graph = helper.make_graph(nodes, "g", [image], [energy])
    (folder / "deepcalo/1").mkdir(parents=True)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "deepcalo/1/model.onnx")
    return folder


def test_a_model_for_images_of_another_shape_is_told_with_both_shapes(tmp_path: Path) -> None:
    job, _ = example(other_shape(tmp_path / "models"), events=1)
    with pytest.raises(ModuleError, match=r"image.*\[5,56,11,4\].*\[-1,56,10,4\]"):
        job.run()


def test_a_model_that_was_not_built_is_told_before_the_first_event(models: Path, tmp_path: Path) -> None:
    job, output = example(models, events=1)
    missing = {**job.modules, "energies": DeepCaloEnergies(model="deepcalo2")}
    with pytest.raises(RequestError, match="there is no model 'deepcalo2'"):
        replace(job, modules=missing).run()
    assert output.rows == []
