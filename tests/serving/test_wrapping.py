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
from eventbraid.serving.wrapping import wrap


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.open([make_repository(tmp_path / "given")])


def test_an_emulated_model_has_its_instances_and_knows_its_time(repository: Repository, tmp_path: Path) -> None:
    wrap(repository, tmp_path / "out/models", parse_device("emulated:gpus=4,t0=2ms,per_row=0,sum.t0=3ms,answers=zeros"))
    config = parse_config((tmp_path / "out/models/sum/config.pbtxt").read_text(), "config.pbtxt")
    assert [group.count for group in config.instance_group] == [4]
    assert json.loads(config.parameters["emulated"].string_value) == {
        "gpus": 4,
        "t0": 0.003,
        "per_row": 0.0,
        "most": 0,
        "answers": "zeros",
        "clocks": str(tmp_path / "out/clocks"),
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


def test_models_that_do_not_fit_on_a_gpu_are_refused(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        wrap(repository, tmp_path / "out/models", parse_device("emulated:memory=1kB"))


def test_a_device_that_speaks_of_an_unknown_model_is_refused(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no model 'summ'"):
        wrap(repository, tmp_path / "out/models", parse_device("emulated:summ.t0=1ms"))
