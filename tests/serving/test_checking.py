"""Every fault of a model repository: where, what, what would be right. Each from a small real repository."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository, tensor, write

from eventbraid import ConfigurationError
from eventbraid.errors import Fault
from eventbraid.kserve.config import parse_config
from eventbraid.kserve.places import places_of
from eventbraid.serving import Repository, known_repositories

PYTHON = "class TritonPythonModel:\n    def execute(self, requests):\n        return []\n"
SIGNED = """
backend: "python"
input { name: "x" data_type: TYPE_FP32 dims: [3] }
output { name: "y" data_type: TYPE_STRING dims: [-1] }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one model, `m`: "x" (n, 3) to "y" (n, 3), without a configuration."""
    network(tmp_path)
    return tmp_path


def network(folder: Path, name: str = "m", shape: tuple[int | str, ...] = ("n", 3), end: object = None) -> None:
    ends = [tensor("x", TensorProto.FLOAT, *shape)], [end or tensor("y", TensorProto.FLOAT, *shape)]
    write(folder, name, [helper.make_node("Identity", ["x"], ["y"])], *ends)


def configure(folder: Path, text: str) -> Path:
    file = folder / "m/config.pbtxt"
    file.write_text(text)
    return file


def found(folder: Path) -> list[Fault]:
    _, faults = Repository.survey([folder])
    return faults


def only(folder: Path) -> Fault:
    (fault,) = found(folder)
    return fault


# Folders and files.


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


# Configurations by themselves.


def test_a_configuration_that_is_none_has_line_column_and_the_nearest_name(folder: Path) -> None:
    file = configure(folder, 'name: "m"\nmax_batch: 8\n')
    what = 'cannot be read: Message type "inference.ModelConfig" has no field named "max_batch".'
    assert only(folder).where == f"{file}:2:1"
    assert only(folder).what == what
    assert only(folder).hint == "did you mean 'max_batch_size'?"


def test_a_type_that_does_not_exist_has_the_nearest_name(folder: Path) -> None:
    file = configure(folder, 'input {\n  name: "x"\n  data_type: TYPE_FLOAT32\n}')
    assert only(folder).where == f"{file}:3:14"
    assert only(folder).hint == "did you mean 'TYPE_FP32'?"


def test_a_configuration_that_is_no_text_says_so(folder: Path) -> None:
    (folder / "m/config.pbtxt").write_bytes(b"\xff\xfe\xff")
    assert only(folder).what.startswith("cannot be read: it is no text in UTF-8")


@pytest.mark.parametrize("name", ["config.txt", "Config.pbtxt", "config.pbtxt.txt", "configs.pbtxt"])
def test_a_configuration_by_another_name_is_a_fault(folder: Path, name: str) -> None:
    (folder / "m" / name).touch()
    assert only(folder) == Fault(f"{folder}/m/{name}", "is not read", "call it config.pbtxt")


CONFIGURATIONS = {
    "another name": (
        '\nname: "n"',
        2,
        "names the model 'n', but its folder is 'm'",
        'write name: "m", or leave it out',
    ),
    "a back end nearly right": (
        'backend: "onnxruntim"',
        1,
        "back end 'onnxruntim' is not served here",
        "did you mean 'onnxruntime'?",
    ),
    "another back end": (
        'backend: "tensorrt"',
        1,
        "back end 'tensorrt' is not served here",
        "the servers here have onnxruntime and python: export the network as ONNX, or call it in a model.py",
    ),
    "a platform nearly right": (
        'platform: "onnxruntime_onx"',
        1,
        "platform 'onnxruntime_onx' is not served here",
        "did you mean 'onnxruntime_onnx'?",
    ),
    "a platform that is not the back end's": (
        'backend: "python"\nplatform: "onnxruntime_onnx"',
        2,
        "platform 'onnxruntime_onnx' is not that of back end 'python'",
        "leave it out",
    ),
    "another file": (
        'default_model_filename: "jets.onnx"',
        1,
        "default_model_filename 'jets.onnx' is not served here",
        "call the file model.onnx",
    ),
    "a negative batch": ("max_batch_size: -1", 1, "max_batch_size is -1", "expected 0 or more"),
    "batching without batches": (
        "\n\ndynamic_batching { }",
        3,
        "dynamic_batching, but max_batch_size is 0: nothing can be put together",
        "set max_batch_size, or leave dynamic_batching out",
    ),
    "a preferred size above the maximum": (
        "max_batch_size: 8\ndynamic_batching {\n  preferred_batch_size: [4,\n  16]\n}",
        4,
        "preferred_batch_size 16 is above max_batch_size, which is 8",
        "",
    ),
    "a preferred size of 0": (
        "max_batch_size: 8\ndynamic_batching { preferred_batch_size: 0 }",
        2,
        "preferred_batch_size is 0",
        "expected 1 to 8",
    ),
    "a dims with 0": (
        'max_batch_size: 8\ninput {\n  name: "x" data_type: TYPE_FP32\n  dims: 0 }',
        4,
        "input 'x' has a dims with 0",
        "expected a size of 1 or more, or -1 where any goes",
    ),
    "no name": (
        "input { data_type: TYPE_FP32 dims: [-1, 3] }",
        1,
        "input number 1 has no name",
        "",
    ),
    "no type": (
        '\ninput { name: "x" dims: [-1, 3] }',
        2,
        "input 'x' has no data_type",
        "TYPE_FP32, for example",
    ),
    "a tensor twice": (
        2 * 'output { name: "y" data_type: TYPE_FP32 dims: [-1, 3] }\n',
        2,
        "output 'y' is there twice",
        "",
    ),
    "no instances": (
        "instance_group {\n  count: 0\n}",
        2,
        "instance_group has count 0",
        "expected 1 or more",
    ),
    "a version that is not there": (
        "version_policy { specific {\nversions: [1,\n 7] } }",
        3,
        "version_policy asks for version 7, which is not there",
        "there is '1'",
    ),
    "an input that is not in the network": (
        '\ninput { name: "xx" data_type: TYPE_FP32 dims: [-1, 3] }',
        2,
        "input 'xx' is not in the model, which has x FP32[-1,3]",
        "did you mean 'x'?",
    ),
    "another type than the network's": (
        'output {\n name: "y"\n data_type: TYPE_INT64\n dims: [-1, 3] }',
        3,
        "output 'y' is TYPE_INT64, but the model has y FP32[-1,3]",
        "write TYPE_FP32",
    ),
    "other dims than the network's": (
        'max_batch_size: 8\ninput { name: "x" data_type: TYPE_FP32\n dims: [4] }',
        3,
        "input 'x' has dims [-1,4] with its batch, but the model has x FP32[-1,3]",
        "write dims: [3]",
    ),
    "dims with the batch": (
        'max_batch_size: 8\noutput { name: "y" data_type: TYPE_FP32\n dims: [-1, 3] }',
        3,
        "output 'y' has dims [-1,-1,3] with its batch, but the model has y FP32[-1,3]",
        "write dims: [3]",
    ),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_wrong_configuration_says_line_fault_and_remedy(folder: Path, name: str) -> None:
    text, line, what, hint = CONFIGURATIONS[name]
    file = configure(folder, text)
    assert Fault(f"{file}:{line}", what, hint) in found(folder)


@pytest.mark.parametrize("name", sorted({*CONFIGURATIONS} - {"no name", "a tensor twice", "a dims with 0"}))
def test_a_fault_of_a_configuration_is_told_once(folder: Path, name: str) -> None:
    file = configure(folder, CONFIGURATIONS[name][0])
    told = [fault for fault in found(folder) if fault.where.startswith(str(file))]
    expected = {"an input that is not in the network": 2}  # the one that is missing too
    assert len(told) == expected.get(name, 1)


def test_an_output_of_the_network_that_is_left_out_is_a_fault(tmp_path: Path) -> None:
    make_repository(tmp_path)
    file = tmp_path / "sum/config.pbtxt"
    file.write_text('max_batch_size: 8\noutput { name: "total" data_type: TYPE_FP32 dims: [1] }')
    assert only(tmp_path) == Fault(
        f"{file}:2", "output 'twice' of the model is missing", "the model has twice FP32[-1,1]"
    )


def test_a_batch_needs_inputs_with_a_variable_first_dimension(tmp_path: Path) -> None:
    network(tmp_path, shape=(4, 3))
    file = configure(tmp_path, 'name: "m"\nmax_batch_size: 8')
    fault, _ = found(tmp_path)
    assert fault.where == f"{file}:2"
    assert fault.what == "max_batch_size is 8, but input x FP32[4,3] of the model has no batch dimension"
    assert fault.hint == "export the network with a variable first dimension, or set max_batch_size: 0"


def test_a_batch_needs_outputs_with_a_batch_dimension(tmp_path: Path) -> None:
    ends = [tensor("x", TensorProto.FLOAT, "n", 3)], [tensor("y", TensorProto.FLOAT)]
    write(tmp_path, "m", [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)], *ends)
    configure(tmp_path, "max_batch_size: 8")
    assert only(tmp_path).what == "max_batch_size is 8, but output y FP32[] of the model has no batch dimension"


def test_all_faults_of_a_model_are_told_at_once(folder: Path) -> None:
    configure(folder, 'name: "n"\ninput { name: "x" data_type: TYPE_INT64 dims: [-1, 3] }\ninstance_group { count: 0 }')
    (folder / "m/2").mkdir()
    (folder / "m/2/model.onnx").write_bytes(b"garbage")
    assert len(found(folder)) == 3


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


# Models in Python.


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A repository with one model in Python, `m`."""
    (tmp_path / "m/1").mkdir(parents=True)
    (tmp_path / "m/1/model.py").write_text(PYTHON)
    configure(tmp_path, SIGNED)
    return tmp_path


def test_a_model_in_python_has_the_signature_of_its_configuration(python: Path) -> None:
    (model,) = Repository.open([python]).models
    assert model.config.backend == "python"
    assert str(model.metadata) == "m: x FP32[3] -> y BYTES[-1]"


def test_a_model_in_python_with_batches_has_them_in_its_signature(python: Path) -> None:
    configure(python, f"{SIGNED} max_batch_size: 8")
    (model,) = Repository.open([python]).models
    assert str(model.metadata) == "m: x FP32[-1,3] -> y BYTES[-1,-1]"


def test_a_model_in_python_is_known_by_its_file(python: Path) -> None:
    configure(python, SIGNED.replace('backend: "python"', ""))
    (model,) = Repository.open([python]).models
    assert model.config.backend == "python"


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("class Model:\n    pass", "", "has no class TritonPythonModel", "expected class TritonPythonModel"),
        ("class TritonPythonModle: pass", "", "has no class TritonPythonModel", "did you mean 'TritonPythonModle'?"),
        ("import a\n\ndef f(:", ":3", "is no Python: invalid syntax", ""),
        (
            "import a\nclass TritonPythonModel:\n    pass",
            ":2",
            "TritonPythonModel has no method execute",
            "expected def execute(self, requests)",
        ),
    ],
)
def test_a_wrong_model_in_python_says_line_fault_and_remedy(
    python: Path, text: str, line: str, what: str, hint: str
) -> None:
    (python / "m/1/model.py").write_text(text)
    assert only(python) == Fault(f"{python}/m/1/model.py{line}", what, hint)


@pytest.mark.parametrize(
    "text",
    [
        "from models import TritonPythonModel",
        "import models\nTritonPythonModel = models.Jets",
        "from models import Base\nclass TritonPythonModel(Base):\n    pass",
        "try:\n    from models import TritonPythonModel\nexcept ImportError:\n    raise",
    ],
)
def test_a_class_from_elsewhere_is_a_model_too(python: Path, text: str) -> None:
    (python / "m/1/model.py").write_text(text)
    assert found(python) == []


def test_a_model_in_python_is_not_run(python: Path) -> None:
    (python / "m/1/model.py").write_text(f"raise SystemExit('run')\n{PYTHON}")
    assert found(python) == []


def test_a_model_in_python_without_a_signature_is_a_fault(python: Path) -> None:
    file = configure(python, 'backend: "python"')
    hint = "a Python model has them there, or in a static method auto_complete_config"
    assert found(python) == [Fault(str(file), "names no input", hint), Fault(str(file), "names no output", hint)]


def test_a_model_in_python_may_say_its_signature_itself(python: Path) -> None:
    (python / "m/config.pbtxt").unlink()
    (python / "m/1/model.py").write_text(f"{PYTHON}\n    @staticmethod\n    def auto_complete_config(c): return c\n")
    assert found(python) == []


def test_a_back_end_without_its_file_says_which_is_missing(python: Path) -> None:
    configure(python, 'backend: "onnxruntime"')
    assert found(python)[0] == Fault(f"{python}/m/1/model.onnx", "is missing", "there is 'model.py'")


# Places in a text.


NAMES = st.sampled_from(["x", "y", "z"])
INPUTS = st.lists(st.tuples(NAMES, st.lists(st.integers(-1, 9), max_size=3)), max_size=4)


@given(INPUTS, st.sampled_from(["{}", "<>"]), st.booleans(), st.sampled_from(["\n", " ", " # }\n"]))
def test_every_number_of_a_text_is_found_on_its_line(
    inputs: list[tuple[str, list[int]]], brackets: str, listed: bool, space: str
) -> None:
    lines: list[str] = []
    for name, dims in inputs:
        numbers = f"dims: [{', '.join(map(str, dims))}]" if listed else " ".join(f"dims: {size}" for size in dims)
        lines += [f"input {brackets[0]}", f"name: '{name}';{space}{numbers}", brackets[1]]
    text = "\n".join(lines)
    config, places = parse_config(text, "here"), places_of(text)
    for index, each in enumerate(config.input):
        for axis, size in enumerate(each.dims):
            place = places[f"input[{index}].dims[{axis}]"]
            assert place.value == str(size)
            assert str(size) in text.splitlines()[place.line - 1]
    assert sum(".dims" in path for path in places) == sum(len(dims) for _, dims in inputs)


@pytest.mark.parametrize("folder", known_repositories(), ids=str)
def test_installed_models_are_in_order(folder: Path) -> None:
    assert found(folder) == []
