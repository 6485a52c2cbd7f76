"""What is written for the real Triton; what it then does is tested on it, in test_wrapped.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository

from eventbraid import ConfigurationError
from eventbraid.kserve.config import parse_config
from eventbraid.serving import Repository
from eventbraid.serving.emulation import parse_device
from eventbraid.serving.triton.wrapping import wrap


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.open([make_repository(tmp_path / "given")])


def test_an_emulated_model_has_its_instances_and_knows_its_time(repository: Repository, tmp_path: Path) -> None:
    wrap(
        repository,
        tmp_path / "out/models",
        device=parse_device("emulated:gpus=4,t0=2ms,per_row=0,sum.t0=3ms,answers=zeros"),
    )
    config = parse_config((tmp_path / "out/models/sum/config.pbtxt").read_text(), "config.pbtxt")
    assert [group.count for group in config.instance_group] == [4]
    assert json.loads(config.parameters["emulated"].string_value) == {
        "t0": 0.003,
        "per_row": 0.0,
        "most": 0,
        "answers": "zeros",
        "clocks": [str(tmp_path / f"out/clocks/gpu{n}") for n in range(4)],
    }


def test_a_model_on_the_cpu_is_not_emulated(repository: Repository, tmp_path: Path) -> None:
    wrap(repository, tmp_path / "out/models")
    config = parse_config((tmp_path / "out/models/sum/config.pbtxt").read_text(), "config.pbtxt")
    assert not config.parameters
    assert config.backend == "python"


def test_a_file_beside_a_network_is_never_written_to(repository: Repository, tmp_path: Path) -> None:
    theirs = repository.models[0].file.with_name("model.py")
    theirs.write_text("theirs")
    wrap(repository, tmp_path / "out/models")
    assert theirs.read_text() == "theirs"


MODEL = """
class TritonPythonModel:
    def execute(self, requests):
        raise NotImplementedError
"""


def python_model(folder: Path) -> Path:
    """A repository with a model in Python that doubles its input."""
    version = folder / "doubles/1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (folder / "doubles/config.pbtxt").write_text(
        'input { name: "x" data_type: TYPE_FP32 dims: 3 } output { name: "y" data_type: TYPE_FP32 dims: 3 }'
    )
    return folder


def files(tmp_path: Path, device: str) -> dict[str, str]:
    wrap(
        Repository.open([python_model(tmp_path / "given")]),
        tmp_path / "out/models",
        device=parse_device(device) if device else None,
    )
    return {each.name: each.read_text() for each in (tmp_path / "out/models/doubles/1").iterdir()}


def test_a_model_in_python_is_served_as_it_is(tmp_path: Path) -> None:
    assert files(tmp_path, "") == {"model.py": MODEL}


def test_a_model_in_python_is_called_by_one_that_takes_the_time_of_a_gpu(tmp_path: Path) -> None:
    found = files(tmp_path, "emulated")
    assert found["emulated_model.py"] == MODEL
    assert set(found) == {"model.py", "emulated_model.py", "emulated_clock.py"}


def test_a_model_in_python_is_not_loaded_where_zeros_are_answered(tmp_path: Path) -> None:
    assert set(files(tmp_path, "emulated:answers=zeros")) == {"model.py", "emulated_clock.py"}


def test_models_that_do_not_fit_on_a_gpu_are_refused(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        wrap(repository, tmp_path / "out/models", device=parse_device("emulated:memory=1kB"))


def test_a_device_that_speaks_of_an_unknown_model_is_refused(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no model 'summ'"):
        wrap(repository, tmp_path / "out/models", device=parse_device("emulated:summ.t0=1ms"))
