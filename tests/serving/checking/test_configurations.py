"""Faults of a model's configuration: which line, what, what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import make_repository, tensor, write
from onnx import TensorProto, helper
from surveys import configure, found, network, only

from eventbraid.errors import Fault


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
