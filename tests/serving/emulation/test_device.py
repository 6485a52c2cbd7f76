"""The GPUs of a device, which its models share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_time import FakeTime

from eventbraid import ConfigurationError
from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.kserve.config import parse_config
from eventbraid.serving.backends.base import Instance, Reply, Request
from eventbraid.serving.emulation import Device, parse_device
from eventbraid.serving.emulation.device import gpus_of, model_bytes

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


def makers(
    on: Device, config: str = "max_batch_size: 8", size: int = 0, name: str = "net"
) -> list[Callable[[], Instance]]:
    """What makes the instances of a model of so many bytes."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(bytes(size))
        return on.makers(replace(METADATA, name=name), parse_config(config, "test"), file, lambda _: Same())


def place(on: Device, number: int, config: str = "max_batch_size: 8") -> Instance:
    return makers(on, config)[number]()


def request(rows: int = 1, since: float = 0.0) -> Request:
    return Request({"x": np.ones((rows, 1), np.float32)}, rows, since=since)


def test_instances_on_one_gpu_wait_for_each_other() -> None:
    time = FakeTime()
    on = device("emulated:t0=1s,per_row=0", time)
    place(on, 0).execute([request()])
    place(on, 0).execute([request()])
    assert time.now() == 2.0


def test_instances_on_different_gpus_do_not_wait_for_each_other() -> None:
    time = FakeTime()
    on = device("emulated:gpus=2,t0=1s,per_row=0", time)
    place(on, 0).execute([request()])
    place(on, 1).execute([request()])
    assert time.now() == 1.0


@pytest.mark.parametrize(
    ("config", "gpus"),
    [
        ("", [0, 1, 2]),
        ("instance_group { count: 2 kind: KIND_GPU }", [0, 0, 1, 1, 2, 2]),
        ("instance_group { count: 2 gpus: [1] kind: KIND_GPU }", [1, 1]),
        ("instance_group { count: 2 kind: KIND_CPU }", [None, None]),
    ],
)
def test_the_instances_are_where_the_configuration_wants_them(config: str, gpus: list[int | None]) -> None:
    assert gpus_of(parse_config(config, "test"), 3) == gpus


def test_a_gpu_that_the_device_does_not_have_is_refused() -> None:
    config = parse_config("instance_group { gpus: [3] kind: KIND_GPU }", "test")
    with pytest.raises(ConfigurationError, match="wants GPU 3, there are 0, 1, 2"):
        gpus_of(config, 3)


def test_an_instance_on_the_cpu_is_not_emulated() -> None:
    (make,) = makers(device("emulated:t0=1s", FakeTime()), "instance_group { kind: KIND_CPU }")
    assert isinstance(make(), Same)


def test_a_batch_that_waited_for_others_begins_after_its_delay() -> None:
    time = FakeTime()
    on = device("emulated:t0=1s,per_row=0", time)
    config = "max_batch_size: 8 dynamic_batching { preferred_batch_size: 4 max_queue_delay_microseconds: 500000 }"
    time.time = 0.5
    place(on, 0, config).execute([request(3)])
    assert time.now() == 1.5
    place(on, 0, config).execute([request(4, since=1.4)])
    assert time.now() == 2.5


def test_zeros_are_answered_without_loading_the_network(tmp_path: Path) -> None:
    def load(number: int) -> Instance:
        raise AssertionError("the network was loaded")

    on = device("emulated:answers=zeros", FakeTime())
    (make,) = on.makers(METADATA, parse_config("max_batch_size: 8", "test"), tmp_path / "model.onnx", load)
    assert make().execute([request(3)])[0].outputs["y"].tolist() == [[0.0, 0.0]] * 3


def test_a_slow_network_is_said_with_its_name(tmp_path: Path) -> None:
    said: list[str] = []
    time = FakeTime()
    on = Device(parse_device("emulated:t0=1ms,per_row=0"), say=said.append, now=time.now, sleep=time.sleep)

    class Slow(Same):
        def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
            time.time += 1.0
            return []

    (make,) = on.makers(METADATA, parse_config("", "test"), tmp_path / "model.onnx", lambda _: Slow())
    instance = make()
    for _ in range(5):
        instance.execute([request()])
    assert said == ["warning: model 'net': 1 rows take 1e+03 ms to compute, longer than the 1 ms that are emulated"]


def test_a_model_that_does_not_fit_beside_the_others_is_refused() -> None:
    on = device("emulated:memory=10kB", FakeTime())
    (one,), (two,) = makers(on, size=6000), makers(on, size=5000, name="two")
    instance = one()
    with pytest.raises(
        ConfigurationError, match=r"'two' does not fit: it has 5\.0KB, and of the GPU's 10\.0KB 4\.0KB are"
    ):
        two()
    instance.close()
    two()


def test_a_model_counts_on_each_gpu_alone() -> None:
    on = device("emulated:gpus=2,memory=10kB", FakeTime())
    one, other = makers(on, size=6000)
    one()
    other()
    with pytest.raises(ConfigurationError):
        one()


def test_a_network_that_cannot_be_loaded_takes_no_memory(tmp_path: Path) -> None:
    def load(number: int) -> Instance:
        raise RuntimeError("broken")

    (tmp_path / "model.onnx").write_bytes(bytes(6000))
    on = device("emulated:memory=10kB", FakeTime())
    (make,) = on.makers(METADATA, parse_config("", "test"), tmp_path / "model.onnx", load)
    with pytest.raises(RuntimeError, match="broken"):
        make()
    makers(on, size=10_000)[0]()


def test_the_weights_beside_a_network_count(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"12")
    (tmp_path / "weights.bin").write_bytes(b"345")
    assert model_bytes(tmp_path / "model.onnx") == 5
