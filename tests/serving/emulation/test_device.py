"""The GPUs of a device, which its models share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_time import FakeTime

from eventbraid import ConfigurationError
from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.kserve.config import parse_config
from eventbraid.serving.backends.base import Instance, Reply, Request
from eventbraid.serving.emulation import Device, Emulated, parse_device
from eventbraid.serving.emulation.device import model_bytes

METADATA = ModelMetadata(
    "net", ("1",), (TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 2)),), max_batch=8
)


class Same:
    """Answers with what it is given."""

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        return [Reply(request.inputs) for request in requests]

    def close(self) -> None:
        pass


def device(text: str, time: FakeTime) -> Device:
    return Device(parse_device(text), now=time.now, sleep=time.sleep)


def place(on: Device, number: int, config: str = "max_batch_size: 8") -> Emulated:
    return on.instance(number, METADATA, parse_config(config, "test"), Same)


def request(rows: int = 1, since: float = 0.0) -> Request:
    return Request({"x": np.ones((rows, 1), np.float32)}, rows, since=since)


def test_instances_on_one_gpu_wait_for_each_other() -> None:
    time = FakeTime()
    on = device("emulated:t0=1s,per_row=0", time)
    place(on, 0).execute([request()])
    place(on, 1).execute([request()])
    assert time.now() == 2.0


def test_instances_go_round_the_gpus() -> None:
    time = FakeTime()
    on = device("emulated:gpus=2,t0=1s,per_row=0", time)
    for number in (0, 1, 2, 3):
        place(on, number).execute([request()])
    assert time.now() == 2.0


@pytest.mark.parametrize(("config", "copies"), [("", 4), ("instance_group { count: 5 }", 20)])
def test_a_model_has_as_many_instances_on_each_gpu_as_its_configuration_says(config: str, copies: int) -> None:
    assert device("emulated:gpus=4", FakeTime()).copies(parse_config(config, "test")) == copies


def test_a_batch_that_waited_for_others_begins_after_its_delay() -> None:
    time = FakeTime()
    on = device("emulated:t0=1s,per_row=0", time)
    config = "max_batch_size: 8 dynamic_batching { preferred_batch_size: 4 max_queue_delay_microseconds: 500000 }"
    time.time = 0.5
    place(on, 0, config).execute([request(3)])
    assert time.now() == 1.5
    place(on, 0, config).execute([request(4, since=1.4)])
    assert time.now() == 2.5


def test_zeros_are_answered_without_loading_the_network() -> None:
    def load() -> Instance:
        raise AssertionError("the network was loaded")

    on = device("emulated:answers=zeros", FakeTime())
    instance = on.instance(0, METADATA, parse_config("max_batch_size: 8", "test"), load)
    assert instance.execute([request(3)])[0].outputs["y"].tolist() == [[0.0, 0.0]] * 3


def test_a_slow_network_is_said_with_its_name() -> None:
    said: list[str] = []
    time = FakeTime()
    on = Device(parse_device("emulated:t0=1ms,per_row=0"), say=said.append, now=time.now, sleep=time.sleep)

    class Slow(Same):
        def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
            time.time += 1.0
            return []

    instance = on.instance(0, METADATA, parse_config("", "test"), Slow)
    for _ in range(5):
        instance.execute([request()])
    assert said == [
        "warning: model 'net': 1 rows take 1e+03 ms to compute, longer than the 1 ms that are emulated",
    ]


def test_a_model_that_does_not_fit_beside_the_others_is_refused() -> None:
    on = device("emulated:memory=10MB", FakeTime())
    on.load("one", 6_000_000)
    with pytest.raises(
        ConfigurationError, match=r"'two' does not fit: it has 5\.0 MB, and of the 10\.0 MB of each GPU 4\.0"
    ):
        on.load("two", 5_000_000)
    on.unload("one")
    on.load("two", 5_000_000)


def test_a_model_that_is_loaded_again_does_not_count_twice() -> None:
    on = device("emulated:memory=10MB", FakeTime())
    on.load("one", 6_000_000)
    on.load("one", 7_000_000)
    with pytest.raises(ConfigurationError, match=r"3\.0 MB are free"):
        on.load("two", 3_000_001)


def test_the_weights_beside_a_network_count(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"12")
    (tmp_path / "weights.bin").write_bytes(b"345")
    assert model_bytes(tmp_path / "model.onnx") == 5
