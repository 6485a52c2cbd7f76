"""Which GPUs the models of the real Triton use."""

from __future__ import annotations

import pytest

from eventbraid.kserve.config import parse_config
from eventbraid.serving.triton.environment import runtime
from eventbraid.serving.triton.gpus import CUDA, find_gpus, place, usable_gpus, visible_gpus

LISTING = """\
GPU 0: NVIDIA H200 (UUID: GPU-aaaa1111-2222-3333-4444-555566667777)
GPU 1: NVIDIA H200 (UUID: GPU-bbbb1111-2222-3333-4444-555566667777)
  MIG 1g.18gb     Device  0: (UUID: MIG-cccc1111-2222-3333-4444-555566667777)
"""


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        (None, 2),
        ("0", 1),
        ("0,1", 2),
        (" 1 , 0 ", 2),
        ("", 0),
        ("-1", 0),
        ("NoDevFiles", 0),
        ("7", 0),
        ("0,7,1", 1),
        ("GPU-bbbb1111-2222-3333-4444-555566667777", 1),
        ("GPU-bbbb", 1),
        ("GPU-dddd", 0),
        ("MIG-cccc1111-2222-3333-4444-555566667777", 1),
    ],
)
def test_the_gpus_are_those_that_cuda_shows(visible: str | None, count: int) -> None:
    assert visible_gpus(LISTING, visible) == count


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_gpus() == 0


def test_a_driver_without_gpus_has_none() -> None:
    assert visible_gpus("No devices found.\n", None) == 0


def test_gpus_are_used_where_onnxruntime_has_cuda() -> None:
    assert usable_gpus(2, [CUDA, "CPUExecutionProvider"]) == 2
    assert usable_gpus(2, ["CPUExecutionProvider"]) == 0


def test_the_runtime_has_cuda_where_there_are_gpus() -> None:
    assert runtime("1.20.0", 0) == ("onnxruntime-1.20.0", "onnxruntime==1.20.0")
    assert runtime("1.20.0", 1) == ("onnxruntime-gpu-1.20.0", "onnxruntime-gpu[cuda,cudnn]==1.20.0")


@pytest.mark.parametrize(
    ("groups", "gpus", "placed"),
    [
        ("", 0, ""),
        ("", 2, "instance_group { kind: KIND_GPU }"),
        ("instance_group { count: 3 }", 2, "instance_group { count: 3 kind: KIND_GPU }"),
        ("instance_group { count: 3 }", 0, "instance_group { count: 3 }"),
        ("instance_group { kind: KIND_CPU }", 2, "instance_group { kind: KIND_CPU }"),
        ("instance_group { kind: KIND_GPU gpus: 1 }", 2, "instance_group { kind: KIND_GPU gpus: 1 }"),
        ("instance_group { kind: KIND_GPU gpus: 1 count: 2 }", 0, "instance_group { kind: KIND_CPU count: 2 }"),
    ],
)
def test_instances_are_on_gpus_where_there_are_some(groups: str, gpus: int, placed: str) -> None:
    config = parse_config(groups, "here")
    place(config, gpus)
    assert config == parse_config(placed, "here")
