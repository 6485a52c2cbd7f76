"""The tutorial: what its page shows is what lies beside it, and works."""

from __future__ import annotations

import importlib.util
import re
import runpy
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest

sys.path.insert(0, str(Path(__file__).parent / "studies/ends"))
from workflows import call

from eventbraid import Job
from eventbraid.job import Mode
from eventbraid.loading import load_job
from eventbraid.plan import make_plan
from eventbraid.serving import Repository
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.hlt import Jets, Missing

FOLDER = Path(__file__).parents[1] / "examples/tutorial"


def jets_of(pt: list[float]) -> Jets:
    """Jets of these transverse momenta, GeV."""
    return Jets(np.array(pt, np.float64), *(np.zeros(len(pt)) for _ in range(3)))


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    """The job of the tutorial."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return load_job(FOLDER / "top.py")


def test_the_page_shows_the_files_whole() -> None:
    snippets = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    assert snippets == [(FOLDER / name).read_text() for name in ("shapes.py", "top.py")]


def test_every_file_that_the_pages_commands_name_is_there() -> None:
    named = re.findall(r"examples/tutorial/[\w./]*\w", (FOLDER / "README.md").read_text())
    assert len(named) >= 8
    assert all((FOLDER.parents[1] / name).exists() for name in named)


def test_the_job_has_no_fault_and_no_warning(job: Job) -> None:
    assert make_plan(job).warnings == ()


def test_the_model_is_in_order_and_has_the_parameters_that_the_page_says() -> None:
    (entry,) = Repository.open([FOLDER / "models"]).models
    assert entry.name == "top"
    network = onnx.load(FOLDER / "models/top/1/model.onnx")
    trained = [each for each in network.graph.initializer if "running" not in each.name]
    assert "123 parameters" in (FOLDER / "README.md").read_text()
    assert sum(int(np.prod(each.dims)) for each in trained) == 123


def test_all_modes_have_the_same_scores_and_decisions(job: Job) -> None:
    found = []
    for mode in get_args(Mode):
        output = ListOutput(keep=["shape", "score"])
        report = replace(job.replace(events=20), outputs=[output]).run(mode)
        assert 0 < report.events.passed < 20
        found.append([(row.id, row.path_results, row.products["score"]) for row in output.rows])
    assert found[0] == found[1] == found[2]


def test_six_hard_jets_look_like_a_top_pair_and_an_event_without_jets_does_not(job: Job) -> None:
    output = ListOutput(keep=["shape", "score"])
    modules = {name: job.modules[name] for name in ("shape", "score")}
    events = [{"jets": jets_of(pt), "missing": Missing(20.0, 0.0, 400.0)} for pt in ([120, 90, 80, 60, 50, 40], [])]
    replace(job, source=ListSource(events), modules=modules, paths={}, outputs=[output]).run()
    many, none = (row.products for row in output.rows)
    assert many["shape"].tolist() == [6, 440, 120, 60, 20]
    assert none["shape"].tolist() == [0, 0, 0, 0, 20]
    assert 0 <= none["score"] < 0.5 < many["score"] <= 1


@pytest.mark.slow
def test_the_commands_that_measure_and_plan_work_as_they_stand(tmp_path: Path) -> None:
    section = (FOLDER / "README.md").read_text().partition("\n## 5. ")[2].partition("\n## ")[0]
    commands = [shlex.split(line[2:])[1:] for line in section.splitlines() if line.startswith("$ eventbraid ")]
    assert [command[0] for command in commands] == ["compare", "scale", "run", "plan"]
    (tmp_path / "examples").symlink_to(FOLDER.parent)
    said = [call(tmp_path, *command).said for command in commands]
    assert "identical in all 6 runs, bit for bit: path results" in said[0]
    assert "1 GPU: " in said[1]
    assert "servers pay up to a GPU hour of" in said[3]
    assert (tmp_path / "top.html").is_file()


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra training")
def test_training_gives_the_network_that_lies_in_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    names: dict[str, Any] = runpy.run_path(str(FOLDER / "train.py"))
    monkeypatch.setitem(names["main"].__globals__, "__file__", str(tmp_path / "train.py"))
    names["main"]()
    for line in capsys.readouterr().out.splitlines():
        assert line in (FOLDER / "README.md").read_text()
    made, kept = (
        {
            each.name: onnx.numpy_helper.to_array(each)
            for each in onnx.load(folder / "models/top/1/model.onnx").graph.initializer
        }
        for folder in (tmp_path, FOLDER)
    )
    for name, weights in kept.items():
        assert np.allclose(weights, made[name], rtol=1e-3, atol=1e-3), name
