"""Three networks on three servers in one job: the same products in every mode, and with the rules in their place."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from real_triton import require_triton

from eventbraid import Job
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer
from eventbraid.serving.repository.choosing import only
from eventbraid.serving.repository.layout import installed_folders
from eventbraid.testing import ListOutput
from eventbraid_modules import deepcalo, hlt, toptag
from eventbraid_modules.deepcalo.geometry import IMAGE
from eventbraid_modules.deepcalo.network import config

EXAMPLE = Path(__file__).parents[2] / "examples/whole_event.py"
EVENTS = 20
MODELS = ("facile", "deepcalo", "toptag")


def write_deepcalo(folder: Path) -> None:
    """A model in the place of DeepCalo, which is not shipped: it sums the pixels."""
    node = helper.make_node("ReduceSum", ["image", "axes"], ["sum"], keepdims=0)
    shape = helper.make_node("Unsqueeze", ["sum", "last"], ["energy"])
    constants = [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in (("axes", [1, 2, 3]), ("last", [1]))]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", *IMAGE])
    energy = helper.make_tensor_value_info("energy", TensorProto.FLOAT, ["batch", 1])
    graph = helper.make_graph([node, shape], "sums", [image], [energy], constants)
    (folder / "1").mkdir(parents=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "1/model.onnx"
    )
    (folder / "config.pbtxt").write_text(config("deepcalo", dynamic=True))


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Those of all three models."""
    write_deepcalo(tmp_path / "deepcalo")
    return [tmp_path, *installed_folders()]


@pytest.fixture
async def servers(folders: list[Path]) -> AsyncIterator[dict[str, str]]:
    """The address of a server for each model."""
    with ExitStack() as chosen:
        own = {model: chosen.enter_context(only([model], folders)) for model in MODELS}
        async with AsyncExitStack() as started:
            found = {model: await started.enter_async_context(EmbeddedServer(own[model])) for model in MODELS}
            yield {model: server.address for model, server in found.items()}


def example(servers: dict[str, str], **modules: Any) -> tuple[Job, ListOutput]:
    output = ListOutput(keep=["jets", "missing", "electronEnergies", "topScores"])
    job = load_job(EXAMPLE).replace(events=EVENTS, servers=list(dict.fromkeys(servers.values())))
    return replace(job, modules={**job.modules, **modules}, outputs=[output]), output


def products(output: ListOutput) -> list[list[Any]]:
    """What every event has, as plain numbers, in the order of the events."""
    return [
        [
            row.products["jets"].pt.tolist(),
            row.products["missing"].pt,
            row.products["electronEnergies"].tolist(),
            row.products["topScores"].score.tolist(),
        ]
        for row in sorted(output.rows, key=lambda row: row.id)
    ]


async def test_each_model_has_its_own_server_and_all_modes_give_the_same(servers: dict[str, str]) -> None:
    found: list[Any] = []
    for mode in ("async", "threads", "blocking"):
        job, output = example(servers)
        assert len(job.modules) >= 24
        report = await job.run_async(mode)
        assert (report.events.read, report.errors) == (EVENTS, 0)
        asked = {(each["model"], each["server"]) for each in report.inference["models"]}
        assert asked == set(servers.items())
        found.append((products(output), report.paths, report.figures))
    assert found[0] == found[1] == found[2]
    rows, paths, figures = found[0]
    assert len(rows) == EVENTS
    assert paths["jets"]["pass"] > 0
    assert figures["electronResolution"]["electrons"] == sum(len(row[2]) for row in rows) > 0
    assert figures["tagging"]["jets"] == sum(len(row[3]) for row in rows) > 0


@pytest.mark.triton
async def test_the_real_triton_gives_the_same(servers: dict[str, str], folders: list[Path]) -> None:
    require_triton()
    found: list[Any] = []
    async with TritonServer(folders) as triton:
        for addresses in (servers, dict.fromkeys(MODELS, triton.address)):
            job, output = example(addresses)
            report = await job.run_async()
            assert {each["server"] for each in report.inference["models"]} == set(addresses.values())
            found.append((products(output), report.figures))
    assert found[0] == found[1]


async def test_with_the_rules_in_the_networks_place_no_server_is_asked() -> None:
    rules = {
        "energies": hlt.TemplateEnergies(),
        "electronEnergies": deepcalo.SummedEnergies(),
        "topScores": toptag.ShapeTagger(),
    }
    job, output = example({}, **rules)
    report = await job.run_async()
    assert (report.events.read, report.errors, len(output.rows)) == (EVENTS, 0, EVENTS)
    assert not report.inference
    assert report.figures["tagging"] == report.figures["taggingByShape"]
    assert report.figures["electronResolution"] == report.figures["resolutionOfSums"]
