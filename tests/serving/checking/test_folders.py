"""Faults of the folders and files of a repository: where, what, what would be right."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from networks import make_repository, tensor, write
from onnx import TensorProto, helper, numpy_helper
from surveys import configure, found, network, only

from eventbraid import ConfigurationError
from eventbraid.errors import Fault
from eventbraid.serving import Repository, known_repositories


def test_a_repository_in_order_has_no_fault(tmp_path: Path) -> None:
    repository, faults = Repository.survey([make_repository(tmp_path)])
    assert faults == []
    assert len(repository.models) == 7


def test_an_empty_repository_says_what_was_expected(tmp_path: Path) -> None:
    assert only(tmp_path) == Fault(str(tmp_path), "holds no model", "expected NAME/1/model.onnx")


def test_a_repository_that_is_not_there_is_no_folder(tmp_path: Path) -> None:
    assert only(tmp_path / "none").what == "is no folder with models"


def test_a_network_in_place_of_a_repository_is_no_folder(folder: Path) -> None:
    assert only(folder / "m/1/model.onnx").what == "is no folder with models"


def test_a_model_in_place_of_a_repository_names_the_folder_to_give(folder: Path) -> None:
    assert only(folder / "m") == Fault(str(folder / "m"), "is a model, not a folder of models", f"give {folder}")


def test_a_network_beside_the_models_says_where_it_belongs(folder: Path) -> None:
    (folder / "jets.onnx").write_bytes((folder / "m/1/model.onnx").read_bytes())
    what, hint = "is a file, not the folder of a model", f"move it to {folder}/jets/1/model.onnx"
    assert only(folder) == Fault(f"{folder}/jets.onnx", what, hint)


def test_files_that_are_no_networks_are_no_fault(folder: Path) -> None:
    (folder / "README.md").touch()
    (folder / "m/labels.txt").touch()
    (folder / "m/1/config.json").touch()
    assert found(folder) == []


def test_a_model_without_a_version_folder_says_so(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert only(folder) == Fault(f"{folder}/empty", "has no version", "expected NAME/1/model.onnx")


def test_a_network_without_its_version_folder_says_where_it_belongs(folder: Path) -> None:
    (folder / "m/1/model.onnx").rename(folder / "m/model.onnx")
    (folder / "m/1").rmdir()
    assert only(folder) == Fault(f"{folder}/m", "has no version", "move model.onnx to m/1")


@pytest.mark.parametrize(("name", "right"), [("v2", 2), ("01", 1), ("latest", 1), ("3.0", 3)])
def test_a_version_that_is_no_number_says_what_to_call_it(folder: Path, name: str, right: int) -> None:
    (folder / "m/1").rename(folder / f"m/{name}")
    what = "is no version, which is a number without leading zeros"
    assert only(folder) == Fault(f"{folder}/m/{name}", what, f"call it {right}")


def test_a_file_in_place_of_a_version_says_what_was_expected(folder: Path) -> None:
    (folder / "m/2").touch()
    assert only(folder) == Fault(f"{folder}/m/2", "is a file, not a version", f"expected {folder}/m/2/model.onnx")


def test_a_missing_network_names_the_file_that_is_there(folder: Path) -> None:
    (folder / "m/1/model.onnx").rename(folder / "m/1/jets.onnx")
    assert only(folder) == Fault(f"{folder}/m/1/model.onnx", "is missing", "call 'jets.onnx' so")


def test_a_missing_network_of_an_old_version_is_a_fault_too(folder: Path) -> None:
    (folder / "m/1").rename(folder / "m/2")
    (folder / "m/1").mkdir()
    assert only(folder) == Fault(f"{folder}/m/1/model.onnx", "is missing")


def test_a_folder_in_place_of_a_network_says_so(folder: Path) -> None:
    (folder / "m/1/model.onnx").unlink()
    (folder / "m/1/model.onnx").mkdir()
    assert only(folder) == Fault(f"{folder}/m/1/model.onnx", "is a folder", "expected a file")


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (b"garbage", "Protobuf parsing failed", ""),
        (b"", "it is empty", ""),
        (b"version https://git-lfs.github.com/spec/v1\noid", "it stands for a file of Git LFS", "git lfs pull"),
    ],
)
def test_a_broken_network_says_what_is_wrong_with_it(folder: Path, content: bytes, what: str, hint: str) -> None:
    (folder / "m/1/model.onnx").write_bytes(content)
    fault = only(folder)
    assert fault.where == f"{folder}/m/1/model.onnx"
    assert fault.what.startswith("cannot be loaded: ")
    assert what in fault.what
    assert fault.hint == hint


def test_missing_weights_are_named_with_the_file_that_was_probably_meant(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((1000, 3), np.float32), "w")
    ends = [tensor("x", TensorProto.FLOAT, "n", 1000)], [tensor("y", TensorProto.FLOAT, "n", 3)]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "m", *ends, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    file = tmp_path / "m/1/model.onnx"
    file.parent.mkdir(parents=True)
    onnx.save(model, file, save_as_external_data=True, location="weights.bin")
    assert found(tmp_path) == []
    (tmp_path / "m/1/weights.bin").rename(tmp_path / "m/1/weight.bin")
    what = f"its weights are in {tmp_path}/m/1/weights.bin, which is missing"
    assert only(tmp_path) == Fault(str(file), what, "did you mean 'weight.bin'?")


def test_a_network_of_types_that_cannot_be_sent_says_so(tmp_path: Path) -> None:
    network(tmp_path, end=tensor("y", TensorProto.BFLOAT16, "n", 3))
    cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)
    ends = [tensor("x", TensorProto.FLOAT, "n", 3)], [tensor("y", TensorProto.BFLOAT16, "n", 3)]
    write(tmp_path, "brain", [cast], *ends)
    assert "y tensor(bfloat16)[-1,3] has a type that the protocol cannot carry" in [
        each.what for each in found(tmp_path)
    ]


def test_two_models_of_one_name_are_a_fault(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    network(other)
    repository, (fault,) = Repository.survey([folder, other])
    assert fault == Fault(f"{other}/m", f"is a second model 'm', after {folder}/m/1/model.onnx")
    assert [model.file for model in repository.models] == [folder / "m/1/model.onnx"]


@pytest.mark.parametrize("name", ["n", "m/2", "m/1/model.onnx", "m/config.pbtxt"])
def test_a_link_that_leads_nowhere_names_its_end(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("nowhere/jets")
    what = "is a symbolic link to nowhere/jets, which is not there"
    assert only(folder) == Fault(f"{folder}/{name}", what)


def test_a_link_that_leads_nowhere_names_what_was_probably_meant(folder: Path) -> None:
    (folder / "n").symlink_to("mm")
    assert only(folder).hint == "did you mean 'm'?"


def test_a_model_behind_a_link_is_a_model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    linked = tmp_path_factory.mktemp("linked")
    (linked / "m").symlink_to(folder / "m")
    assert found(linked) == []


@pytest.fixture
def shut() -> Iterator[Callable[[str], Path]]:
    """Takes the rights on a part of a repository that another user than root can see."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder, user = Path(made), os.geteuid()
        folder.chmod(0o755)
        network(folder)
        (folder / "m/config.pbtxt").touch()

        def shut(name: str) -> Path:
            (folder / name).chmod(0)
            if user == 0:
                os.seteuid(65534)
            return folder

        yield shut
        os.seteuid(user)
        for each in ("m", "m/1", "m/1/model.onnx", "m/config.pbtxt"):
            (folder / each).chmod(0o755)


@pytest.mark.parametrize("name", ["m", "m/1", "m/1/model.onnx", "m/config.pbtxt"])
def test_what_may_not_be_read_says_so(shut: Callable[[str], Path], name: str) -> None:
    folder = shut(name)
    fault = only(folder)
    assert str(fault).startswith(f"{folder}/{name}: cannot be read: permission denied (chmod u+r")


@pytest.mark.skipif(sys.platform != "linux", reason="there is a file that nobody can read")
def test_a_file_that_fails_to_be_read_is_a_fault(folder: Path) -> None:
    (folder / "m/config.pbtxt").symlink_to("/proc/self/mem")
    assert only(folder) == Fault(f"{folder}/m", "cannot be read: Input/output error")


def test_faults_of_one_model_leave_the_others(folder: Path) -> None:
    network(folder, "good")
    configure(folder, 'name: "n"')
    repository, faults = Repository.survey([folder])
    assert [model.name for model in repository.models] == ["good"]
    assert len(faults) == 1


def test_a_repository_is_opened_only_without_faults(folder: Path) -> None:
    configure(folder, 'name: "n"')
    with pytest.raises(ConfigurationError) as raised:
        Repository.open([folder])
    assert list(raised.value.faults) == found(folder)


@pytest.mark.parametrize("folder", known_repositories(), ids=str)
def test_installed_models_are_in_order(folder: Path) -> None:
    assert found(folder) == []
