"""Emulated GPUs as the options of studies name them."""

from __future__ import annotations

import pytest

from eventbraid.studies.emulated import device_faults, numbers_of_gpus, unmeasured, with_gpus, without_gpus


@pytest.mark.parametrize(
    ("device", "bare", "two"),
    [
        ("emulated", "emulated", "emulated:gpus=2"),
        ("emulated:v100", "emulated:v100", "emulated:v100,gpus=2"),
        ("emulated:gpus=4", "emulated", "emulated:gpus=2"),
        ("emulated:v100,gpus=4,t0=2ms", "emulated:v100,t0=2ms", "emulated:v100,t0=2ms,gpus=2"),
    ],
)
def test_a_device_is_had_with_another_number_of_gpus(device: str, bare: str, two: str) -> None:
    assert without_gpus(device) == bare
    assert with_gpus(device, 2) == two


def test_the_gpus_of_a_study_are_those_of_its_option_or_else_of_its_device() -> None:
    assert numbers_of_gpus("", []) == [None]
    assert numbers_of_gpus("", [4, 1, 4]) == [1, 4]
    assert numbers_of_gpus("emulated:t4", []) == [1]
    assert numbers_of_gpus("emulated:t4,gpus=3", []) == [3]


@pytest.mark.parametrize(
    ("device", "gpus", "says"),
    [
        ("", [2], []),
        ("emulated:t4", [2], []),
        ("v100", [], ["--device: 'v100' is no emulated device: expected emulated:gpus=4,t0=2ms,per_row=50us"]),
        (
            "emulated:v10,t0=2",
            [],
            [
                "--device, 'v10': 'v10' is neither a preset nor KEY=VALUE (did you mean 'v100'?)",
                "--device, 't0=2': '2' is no duration: expected a number with ns, us, ms, s, min or h, as in 20ms",
            ],
        ),
        ("emulated:t4,gpus=2", [1], ["--gpus: says the same as 'emulated:t4,gpus=2' of --device (give one of them)"]),
    ],
)
def test_faults_of_a_device_are_those_of_its_option(device: str, gpus: list[int], says: list[str]) -> None:
    assert [str(fault) for fault in device_faults(device, gpus)] == says


def test_a_model_without_measured_times_is_named_with_those_that_it_gets() -> None:
    (note,) = unmeasured("emulated:v100", ["facile", "top"])
    assert note == (
        "model 'top' has no measured times on emulated:v100: a batch takes 2 ms and 50 us a row there, "
        "unless --device says otherwise, as in emulated:v100,top.t0=1ms,top.per_row=10us"
    )
    assert len([*unmeasured("emulated", ["facile", "top"])]) == 2


@pytest.mark.parametrize("device", ["emulated:v100,t0=1ms", "emulated:v100,top.per_row=1us"])
def test_nothing_is_noted_where_the_device_says_the_times(device: str) -> None:
    assert [*unmeasured(device, ["facile", "top"])] == []
