"""`eventbraid models`: what it says of repositories, and how it builds models."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository

from eventbraid.serving import known_repositories

BUILDERS = """
from pathlib import Path

PYTHON = "class TritonPythonModel:\\n    def execute(self, requests):\\n        return []\\n"
CONFIG = 'input { name: "x" data_type: TYPE_FP32 dims: 3 }\\noutput { name: "y" data_type: TYPE_FP32 dims: 3 }\\n'


def good(folder):
    (folder / "1").mkdir()
    (folder / "1/model.py").write_text(PYTHON)
    (folder / "config.pbtxt").write_text(CONFIG)


def bad(folder):
    good(folder)
    (folder / "config.pbtxt").write_text(CONFIG + "max_batch_size: -1")


def fails(folder):
    good(folder)
    raise ValueError("no data")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder of small models."""
    return make_repository(tmp_path / "models")


@pytest.fixture
def builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to build into, where a package with three builders is installed."""
    site = tmp_path / "site"
    installed = site / "builders-1.0.dist-info"
    installed.mkdir(parents=True)
    (site / "tests_builders.py").write_text(BUILDERS)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: builders\nVersion: 1.0\n")
    points = "\n".join(f"{name} = tests_builders:{name}" for name in ("good", "bad", "fails"))
    (installed / "entry_points.txt").write_text(f"[eventbraid.model_builders]\n{points}\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "made"


def test_check_lists_the_models(call: Any, repository: Path) -> None:
    called = call("models", "check", str(repository))
    assert called.code == 0, called.err
    assert "7 models, no fault" in called.err
    (row,) = (line for line in called.out.splitlines() if "│ sum " in line)
    for part in ("onnxruntime", "to 64", "x FP32[-1,3]", "dynamic, within 20 ms"):
        assert part in row


def test_check_writes_what_it_found_as_json(call: Any, repository: Path) -> None:
    (repository / "one/config.pbtxt").write_text('name: "two"')
    called = call("models", "check", str(repository), "--json", "-")
    assert called.code == 2
    found = json.loads(called.out)
    assert [each["where"] for each in found["faults"]] == [f"{repository}/one/config.pbtxt:1"]
    (model,) = (each for each in found["models"] if each["name"] == "sum")
    assert model == {
        "name": "sum",
        "folder": f"{repository}/sum",
        "versions": ["1"],
        "backend": "onnxruntime",
        "max_batch_size": 64,
        "inputs": [{"name": "x", "type": "FP32", "shape": [-1, 3]}],
        "outputs": [
            {"name": "total", "type": "FP32", "shape": [-1, 1]},
            {"name": "twice", "type": "FP32", "shape": [-1, 1]},
        ],
        "batching": {"preferred_batch_size": [], "max_queue_delay_microseconds": 20000},
    }


def test_check_names_each_fault_in_a_line_and_lists_the_good_models(call: Any, repository: Path) -> None:
    (repository / "one/config.pbtxt").write_text('name: "two"\ninstance_group { count: 0 }')
    called = call("models", "check", str(repository))
    assert called.code == 2
    assert "error: the model repository has 2 faults" in called.err
    assert f"  - {repository}/one/config.pbtxt:2: instance_group has count 0 (expected 1 or more)\n" in called.err
    assert "│ sum " in called.out
    assert "│ one " not in called.out


def test_check_without_a_folder_takes_the_installed_models(call: Any) -> None:
    called = call("models", "check")
    assert called.code == 0, called.err
    assert "facile" in called.out


def test_check_takes_several_folders(call: Any, repository: Path, tmp_path: Path) -> None:
    called = call("models", "check", str(repository), str(tmp_path / "none"))
    assert called.code == 2
    assert f"error: {tmp_path}/none: is no folder with models" in called.err
    assert "│ sum " in called.out


def test_build_writes_the_model_of_a_package(call: Any, builders: Path) -> None:
    called = call("models", "build", "good", "--into", str(builders))
    assert called.code == 0, called.err
    assert f"building good in {builders}/good" in called.err
    assert re.search(r"good took \d+ s, \d+ s of CPU time", called.err)
    assert "x FP32[3] -> y FP32[3]" in called.out
    assert call("models", "check", str(builders)).code == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("god", "god: no installed package builds it (did you mean 'good'?)"),
        ("bad", "max_batch_size is -1"),
        ("fails", "fails: its builder tests_builders:fails failed: ValueError: no data"),
    ],
)
def test_build_leaves_nothing_of_a_model_that_it_could_not_build(
    call: Any, builders: Path, name: str, text: str
) -> None:
    called = call("models", "build", name, "--into", str(builders))
    assert called.code == 2
    assert text in called.err
    assert "Traceback" not in called.err
    assert not builders.exists() or not list(builders.iterdir())


def test_build_leaves_a_model_that_is_there(call: Any, builders: Path) -> None:
    (builders / "good").mkdir(parents=True)
    called = call("models", "build", "good", "--into", str(builders))
    assert called.code == 2
    assert f"{builders}/good: is there already" in called.err
    assert not list((builders / "good").iterdir())


def test_build_into_a_model_names_the_folder_to_give(call: Any, repository: Path, builders: Path) -> None:
    called = call("models", "build", "good", "--into", str(repository / "sum"))
    assert called.code == 2
    assert f"is a model, not a folder of models (--into {repository})" in called.err


def test_build_without_a_package_that_builds_says_so(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbraid.serving.repository.building.entry_points", lambda group: [])
    called = call("models", "build")
    assert called.code == 2
    assert "no installed package builds models (entry points of the group eventbraid.model_builders)" in called.err


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is there")
def test_the_builder_of_facile_says_what_it_needs(tmp_path: Path) -> None:
    from eventbraid import MissingExtra
    from eventbraid_modules.hlt.train_facile import build

    with pytest.raises(MissingExtra, match=r"pip install 'eventbraid\[training\]'"):
        build(tmp_path)


def test_build_without_a_folder_puts_the_model_where_every_job_finds_it(
    call: Any, builders: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path / "cache"))
    called = call("models", "build", "good")
    assert called.code == 0, called.err
    assert known_repositories()[-1] == tmp_path / "cache/models"
    again = call("models", "build", "good")
    assert again.code == 2
    assert f"{tmp_path}/cache/models/good: is there already (remove it, or build into another folder" in again.err


def test_build_does_not_make_an_installed_model_again_that_jobs_would_find_twice(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path))
    called = call("models", "build", "facile")
    assert called.code == 2
    assert "models/facile: is there already" in called.err
