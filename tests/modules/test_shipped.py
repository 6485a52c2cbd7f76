"""The networks in the package beside those that were trained anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from eventbraid.errors import ConfigurationError
from eventbraid_modules import shipped, training
from eventbraid_modules.hlt.train_facile import MODEL
from eventbraid_modules.shipped import Network, compare, distance, main

FILE = "facile/1/model.onnx"
FEATURES = np.random.default_rng(1).uniform(0, 50, (200, 15)).astype(np.float32)
FACILE = Network(FILE, MODEL / "1/model.onnx", lambda: [{"features": FEATURES}], 0.05, "GeV")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A repository with a copy of the shipped network, which is the only one that is compared."""
    shutil.copytree(MODEL, tmp_path / "facile")
    return tmp_path


@pytest.fixture
def facile_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", (FACILE,))


def move(file: Path, bias: float) -> None:
    """Add so much to what a network's last layer puts out."""
    model = onnx.load(file)
    name = model.graph.node[-1].input[2]
    (last,) = (each for each in model.graph.initializer if each.name == name)
    last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) + np.float32(bias), name))
    onnx.save(model, file)


def test_every_shipped_network_is_there_and_has_a_place_in_the_built_repository_of_its_own() -> None:
    assert all(each.shipped.is_file() for each in shipped.SHIPPED)
    assert len({each.built for each in shipped.SHIPPED}) == len(shipped.SHIPPED)


@pytest.mark.usefixtures("facile_alone")
def test_a_copy_gives_the_same_answers(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(built)]) == 0
    assert "the same to the last bit" in capsys.readouterr().out


@pytest.mark.usefixtures("facile_alone")
@pytest.mark.parametrize(("bias", "code", "says"), [(0.04, 0, "agrees"), (0.06, 1, "DIFFERS")])
def test_the_tolerance_bounds_how_far_answers_may_be(
    built: Path, capsys: pytest.CaptureFixture[str], bias: float, code: int, says: str
) -> None:
    move(built / FILE, bias)
    assert main([str(built)]) == code
    assert says in capsys.readouterr().out
    found = compare(FACILE, built)
    assert found.answers == 200
    assert found.rms == pytest.approx(bias, rel=1e-3)


@pytest.mark.usefixtures("facile_alone")
def test_a_network_that_was_not_built_is_named_with_what_builds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / FILE) in said
    assert "make models" in said


@pytest.mark.slow
def test_every_shipped_network_answers_its_held_out_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for each in shipped.SHIPPED:
        (tmp_path / each.built).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(each.shipped, tmp_path / each.built)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("the same to the last bit") == len(shipped.SHIPPED)


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"no network")
    with pytest.raises(ConfigurationError, match=r"model\.onnx: cannot be asked"):
        training.answers(file, [])


def test_networks_with_another_number_of_answers_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="4 answers, the shipped one 3"):
        distance(np.zeros(3, np.float32), np.zeros(4, np.float32))


@given(st.floats(-1e3, 1e3, width=32), st.integers(1, 50))
def test_the_distance_of_a_shift_is_the_shift(shift: float, answers: int) -> None:
    first = np.linspace(-1, 1, answers, dtype=np.float32)
    rms, most = distance(first, first + np.float32(shift))
    assert rms == pytest.approx(abs(shift), rel=1e-4, abs=1e-4)
    assert rms <= most * (1 + 1e-12)


def test_a_network_that_gives_no_number_is_infinitely_far() -> None:
    assert distance(np.zeros(2, np.float32), np.array([0, np.nan], np.float32)) == (np.inf, np.inf)
