"""A local config.pbtxt beside what a server says: what differs is told, what servers fill in is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError, Event, Job, Output
from eventbraid.errors import RequestError
from eventbraid.inference import InferenceClient, InferenceProducer, Tensors
from eventbraid.inference.config import check_config, config_faults
from eventbraid.kserve.config import parse_config
from eventbraid.sources import EmptySource

FILE = """
name: "jets"
platform: "onnxruntime_onnx"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: [-1, 3] }
input { name: "mask" data_type: TYPE_BOOL dims: [-1] optional: true }
output { name: "y" data_type: TYPE_FP32 dims: [2] }
instance_group { count: 2 kind: KIND_CPU }
dynamic_batching { max_queue_delay_microseconds: 100 }
version_policy { specific { versions: [1, 2] } }
optimization { priority: PRIORITY_MAX }
parameters { key: "threads" value { string_value: "1" } }
model_warmup { name: "first" batch_size: 1 }
"""
FILLED = """
name: "jets"
platform: "onnxruntime_onnx"
backend: "onnxruntime"
runtime: "libtriton_onnxruntime.so"
max_batch_size: 8
input { name: "mask" data_type: TYPE_BOOL dims: [-1] optional: true }
input { name: "x" data_type: TYPE_FP32 dims: [-1, 3] }
output { name: "y" data_type: TYPE_FP32 dims: [2] }
instance_group { name: "jets_0" count: 2 kind: KIND_CPU }
dynamic_batching { preferred_batch_size: 8 max_queue_delay_microseconds: 100 }
version_policy { specific { versions: [1, 2] } }
optimization { priority: PRIORITY_MAX input_pinned_memory { enable: true } output_pinned_memory { enable: true } }
parameters { key: "threads" value { string_value: "1" } }
model_warmup { name: "first" batch_size: 1 }
default_model_filename: "model.onnx"
response_cache { }
"""
"""What a Triton makes of the file."""


def server(text: str = FILLED) -> Any:
    return parse_config(text, "the server")


def test_what_a_server_fills_in_is_no_difference() -> None:
    assert config_faults(FILE, server()) == []


@pytest.mark.parametrize(
    ("here", "changed", "told"),
    [
        ('name: "jets"', 'name: "jet"', "name: 'jet' in the file, 'jets' on the server"),
        ("onnxruntime_onnx", "tensorrt_plan", "platform: 'tensorrt_plan' in the file, 'onnxruntime_onnx' on the server"),
        ("max_batch_size: 8", "max_batch_size: 16", "max_batch_size: 16 in the file, 8 on the server"),
        ("max_batch_size: 8", "", "max_batch_size: nothing in the file, 8 on the server"),
        ("TYPE_FP32 dims: [-1, 3]", "TYPE_FP16 dims: [-1, 3]", "input['x'].data_type: TYPE_FP16 in the file, TYPE_FP32 on the server"),
        ("dims: [-1, 3]", "dims: [-1, 4]", "input['x'].dims: [-1, 4] in the file, [-1, 3] on the server"),
        ('name: "y"', 'name: "z"', "output['z']: { name: \"z\" data_type: TYPE_FP32 dims: 2 } in the file, nothing on the server"),
        (" optional: true", "", "input['mask'].optional: nothing in the file, True on the server"),
        ("count: 2", "count: 3", "instance_group[0].count: 3 in the file, 2 on the server"),
        ("KIND_CPU", "KIND_GPU", "instance_group[0].kind: KIND_GPU in the file, KIND_CPU on the server"),
        ("microseconds: 100", "microseconds: 200", "dynamic_batching.max_queue_delay_microseconds: 200 in the file, 100 on the server"),
        ("dynamic_batching { max_queue_delay_microseconds: 100 }", "", "dynamic_batching: nothing in the file, { preferred_batch_size: 8 max_queue_delay_microseconds: 100 } on the server"),
        ("dynamic_batching { max_queue_delay_microseconds: 100 }", "sequence_batching { }", "sequence_batching: {  } in the file, nothing on the server"),
        ("versions: [1, 2]", "versions: [1]", "version_policy.specific.versions: [1] in the file, [1, 2] on the server"),
        ("version_policy { specific { versions: [1, 2] } }", "", "version_policy.latest: { num_versions: 1 } in the file, nothing on the server"),
        ("PRIORITY_MAX", "PRIORITY_MIN", "optimization.priority: PRIORITY_MIN in the file, PRIORITY_MAX on the server"),
        ("optimization { priority: PRIORITY_MAX }", "", "optimization.priority: nothing in the file, PRIORITY_MAX on the server"),
        ('string_value: "1"', 'string_value: "2"', "parameters['threads'].string_value: '2' in the file, '1' on the server"),
        ('parameters { key: "threads" value { string_value: "1" } }', "", "parameters['threads']: nothing in the file, { string_value: \"1\" } on the server"),
        ("batch_size: 1 }", "batch_size: 4 }", "model_warmup['first'].batch_size: 4 in the file, 1 on the server"),
        ("model_warmup", 'response_cache { enable: true } model_warmup', "response_cache.enable: True in the file, nothing on the server"),
        ("model_warmup", 'default_model_filename: "m" model_warmup', "default_model_filename: 'm' in the file, 'model.onnx' on the server"),
    ],
)  # fmt: skip
def test_each_changed_field_is_told_with_both_values(here: str, changed: str, told: str) -> None:
    assert here in FILE
    assert told in config_faults(FILE.replace(here, changed, 1), server())


def test_only_what_differs_is_told() -> None:
    changed = FILE.replace("count: 2", "count: 3").replace("dims: [2]", "dims: [5]")
    assert config_faults(changed, server()) == [
        "output['y'].dims: [5] in the file, [2] on the server",
        "instance_group[0].count: 3 in the file, 2 on the server",
    ]


def test_an_input_that_only_the_server_has_is_told() -> None:
    (line,) = [line for line in FILE.splitlines() if "mask" in line]
    (told,) = config_faults(FILE.replace(line, ""), server())
    assert told.startswith("input['mask']: nothing in the file, { name: \"mask\" data_type: TYPE_BOOL")


def test_a_group_that_only_the_server_has_is_told() -> None:
    more = FILLED + 'instance_group { name: "jets_1" count: 1 kind: KIND_CPU }'
    (told,) = config_faults(FILE, server(more))
    assert told.startswith('instance_group[1]: nothing in the file, { name: "jets_1"')


def test_a_platform_and_its_back_end_mean_the_same() -> None:
    by_back_end = FILE.replace('platform: "onnxruntime_onnx"', 'backend: "onnxruntime"')
    assert config_faults(by_back_end, server()) == []
    assert config_faults(FILE, server(FILLED.replace('platform: "onnxruntime_onnx"', ""))) == []
    assert config_faults(by_back_end.replace("onnxruntime", "python"), server()) == [
        "backend: 'python' in the file, 'onnxruntime' on the server"
    ]


def test_a_file_that_leaves_all_to_the_server_agrees_with_it() -> None:
    found = """
        max_batch_size: 4 dynamic_batching { preferred_batch_size: 4 } backend: "onnxruntime"
        input { name: "x" data_type: TYPE_FP32 dims: [3] } output { name: "y" data_type: TYPE_FP32 dims: [3] }
    """
    assert config_faults("", server(found)) == []
    assert config_faults("max_batch_size: 4", server(found)) == [
        "dynamic_batching: nothing in the file, { preferred_batch_size: 4 } on the server"
    ]


def test_the_default_version_policy_is_the_newest_version() -> None:
    newest, every = "version_policy { latest { num_versions: 1 } }", "version_policy { all { } }"
    assert config_faults("", server(newest)) == config_faults(newest, server("")) == []
    assert config_faults("", server(every)) == [
        "version_policy.latest: { num_versions: 1 } in the file, nothing on the server",
        "version_policy.all: nothing in the file, {  } on the server",
    ]


LINES = [line for line in FILE.strip().splitlines() if "priority" not in line]


@given(st.lists(st.sampled_from(LINES), unique=True).map("\n".join))
def test_any_part_of_a_file_agrees_with_itself(text: str) -> None:
    assert config_faults(text, server(text)) == []


@given(st.permutations(FILE.strip().splitlines()))
def test_the_order_of_a_file_means_nothing(lines: list[str]) -> None:
    assert config_faults("\n".join(lines), server()) == []


def test_a_text_that_is_no_configuration_says_where() -> None:
    with pytest.raises(ConfigurationError, match=r'config.pbtxt:1:1: cannot be read: .*no field named "max_batch"'):
        config_faults("max_batch: 8", server())


# Servers.


async def test_a_models_own_configuration_agrees_with_what_serves_it(client: InferenceClient, repository: Path) -> None:
    for model in ("sum", "types", "text", "one"):
        await client.metadata(model)
        file = repository / model / "config.pbtxt"
        text = file.read_text() if file.exists() else f'name: "{model}"'
        configs = client.configs(model)
        assert len(configs) == 1
        assert [config_faults(text, config) for config in configs.values()] == [[]]


@pytest.mark.parametrize(
    ("here", "changed", "field"),
    [
        ('name: "sum"', 'name: "summe"', "name: 'summe'"),
        ("64", "32", "max_batch_size: 32 in the file, 64 on the server"),
        ("20000", "1", "dynamic_batching.max_queue_delay_microseconds: 1 in the file, 20000 on the server"),
        ("dynamic_batching", "sequence_batching { } #", "sequence_batching: {  } in the file, nothing"),
        ("max", 'input { name: "x" dims: [4] } max', "input['x'].dims: [4] in the file, [3] on the server"),
        ("max", 'input { name: "y" } max', "input['y']: { name: \"y\" } in the file, nothing on the server"),
        ("max", "version_policy { all { } } max", "version_policy.all: {  } in the file, nothing on the server"),
        ("max", "model_transaction_policy { decoupled: true } max", "model_transaction_policy.decoupled: True"),
    ],
)
async def test_a_changed_configuration_is_told_of_every_server(
    client: InferenceClient, repository: Path, here: str, changed: str, field: str
) -> None:
    await client.metadata("sum")
    text = (repository / "sum/config.pbtxt").read_text()
    (config,) = client.configs("sum").values()
    assert field in "\n".join(config_faults(text.replace(here, changed, 1), config))


async def test_nothing_is_known_of_a_model_that_was_not_asked_for(client: InferenceClient) -> None:
    await client.metadata("sum")
    assert client.configs("none") == {}


def test_a_server_that_does_not_tell_is_an_error_that_says_so(tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    file.write_text(FILE)
    with pytest.raises(RequestError, match="gpu1, model 'jets': the server does not tell the model's configuration"):
        check_config(file, "jets", {"gpu1": None})


def test_the_server_and_the_model_of_a_difference_are_named(tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    file.write_text(FILE.replace("count: 2", "count: 3"))
    with pytest.raises(RequestError) as raised:
        check_config(file, "jets", {"gpu1": server(FILLED.replace("count: 2", "count: 3")), "gpu2": server()})
    what = "instance_group[0].count: 3 in the file, 2 on the server"
    assert str(raised.value) == f"gpu2, model 'jets': the server's configuration is not that of {file}: {what}"


# Modules.


class Sum(InferenceProducer):
    total = Output[float]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": np.ones((1, 3), np.float32)}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = float(response["total"].sum())


def job(repository: Path, config: Path) -> Job:
    modules = {"sum": Sum(model="sum", config=config)}
    return Job("t", source=EmptySource(events=2), modules=modules, paths={"p": ["sum"]}, models=[repository])


def test_a_module_runs_where_the_server_agrees_with_its_file(repository: Path) -> None:
    assert job(repository, repository / "sum/config.pbtxt").run().events.passed == 2


def test_a_module_does_not_run_where_the_server_does_not(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    file.write_text((repository / "sum/config.pbtxt").read_text().replace("64", "32"))
    with pytest.raises(RequestError, match=r"max_batch_size: 32 in the file, 64 on the server") as raised:
        job(repository, file).run()
    assert raised.value.__notes__ == ["needed by module 'sum'"]


def test_a_file_that_is_not_there_is_a_fault_of_the_job(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"config.*does not point to a file"):
        job(repository, tmp_path / "none").run()
