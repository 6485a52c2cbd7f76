"""The text of an emulated device, and what is said of a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError
from eventbraid.serving.emulation.clock import ServiceTime
from eventbraid.serving.emulation.spec import DEFAULT_TIME, DeviceSpec, check_models, device_text, parse_device, plateau


def test_everything_can_be_said() -> None:
    assert parse_device("emulated:gpus=4,t0=2ms,per_row=50us,most=100,memory=16GB,answers=zeros") == DeviceSpec(
        gpus=4, time=ServiceTime(2e-3, pytest.approx(50e-6), 100), memory=16_000_000_000, answers="zeros"
    )


@st.composite
def devices(draw: st.DrawFn) -> DeviceSpec:
    seconds, most = st.floats(0, 100), st.integers(1, 2000)
    said = st.fixed_dictionaries({}, optional={"t0": seconds, "per_row": seconds, "most": most})
    return DeviceSpec(
        gpus=draw(st.integers(1, 1024)),
        time=ServiceTime(draw(seconds), draw(seconds), draw(st.just(0) | most)),
        models=draw(st.dictionaries(st.sampled_from(["facile", "my.net"]), said.filter(bool))),
        preset=draw(st.sampled_from(["", "v100", "t4"])),
        memory=draw(st.none() | st.integers(1, 10**12)),
        answers=draw(st.sampled_from(["network", "zeros"])),
    )


@given(devices())
def test_the_text_of_a_device_is_that_device(device: DeviceSpec) -> None:
    assert parse_device(device_text(device)) == device


@pytest.mark.parametrize("text", ["emulated", "emulated:", " emulated "])
def test_nothing_need_be_said(text: str) -> None:
    assert parse_device(text) == DeviceSpec(gpus=1, time=DEFAULT_TIME, preset="", memory=None, answers="network")


@pytest.mark.parametrize("text", ["emulated:v100,gpus=2", "emulated:gpus=2, preset=v100"])
def test_a_preset_is_named_with_or_without_its_key(text: str) -> None:
    assert parse_device(text) == DeviceSpec(gpus=2, preset="v100")


def test_the_time_of_one_model_can_be_said_alone() -> None:
    device = parse_device("emulated:v100,t0=7ms,facile.t0=3ms,my.net.per_row=1us")
    known = parse_device("emulated:v100").service("facile")
    assert device.service("facile") == ServiceTime(3e-3, known.per_row, known.most)
    assert device.service("my.net") == ServiceTime(7e-3, 1e-6)
    assert device.service("other") == ServiceTime(7e-3, DEFAULT_TIME.per_row)


@pytest.mark.parametrize("name", ["resnet50", "ResNet-50", "resnet_50"])
def test_a_preset_knows_a_model_however_it_is_written(name: str) -> None:
    assert parse_device("emulated:t4").service(name).seconds(10) == pytest.approx(0.04)


def test_memory_is_the_presets_unless_it_is_said() -> None:
    assert parse_device("emulated:t4").limit == 16_000_000_000
    assert parse_device("emulated:t4,memory=1GiB").limit == 2**30
    assert parse_device("emulated:gpus=2").limit is None


def test_what_is_no_emulated_device_says_what_one_is() -> None:
    with pytest.raises(ConfigurationError, match="'cuda:0' is no emulated device: expected emulated:gpus=4,t0=2ms"):
        parse_device("cuda:0")


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("gpu=4", "'gpu' is no key (did you mean 'gpus'?)"),
        ("gpus=0", "'0' is no number from 1 to 1,024"),
        ("gpus=four", "'four' is no number from 1 to 1,024"),
        ("gpus=²", "'²' is no number from 1 to 1,024"),
        ("t0=2", "'2' is no duration: expected a number with ns, us, ms"),
        ("per_row=-1us", "'-1us' is no duration"),
        ("memory=16XB", "'16XB' is no size: expected a number with MB, GB, MiB or GiB, as in 16GB"),
        ("memory=", "'' is no size"),
        ("answers=zero", "'zero' is no kind of answers (did you mean 'zeros'?)"),
        ("v10", "'v10' is neither a preset nor KEY=VALUE (did you mean 'v100'?)"),
        ("facile.gpus=2", "'gpus' is no key of a model (there is 'most', 'per_row', 't0')"),
        ("", "'' is neither a preset nor KEY=VALUE"),
        ("t4,v100", "'v100': is given twice"),
        ("t0=1ms,t0=1ms", "'t0=1ms': is given twice"),
    ],
)
def test_a_wrong_item_is_named_with_what_is_right(item: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_device(f"emulated:answers=network,{item}" if not item.startswith("answers") else f"emulated:{item}")
    assert what in str(raised.value)
    assert len(raised.value.faults) == 1


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_device("emulated:gpu=4,t0=2,v10")
    assert [fault.where for fault in raised.value.faults] == ["device, 'gpu=4'", "device, 't0=2'", "device, 'v10'"]


def test_a_model_that_the_server_does_not_have_is_named() -> None:
    device = parse_device("emulated:facil.t0=2ms,sum.t0=1ms")
    with pytest.raises(ConfigurationError, match=r"'facil.t0': there is no model 'facil' \(did you mean 'facile'\?\)"):
        check_models(device, ["facile", "sum"])


def test_a_plateau_grows_with_the_gpus_and_with_the_requests_that_are_joined() -> None:
    assert plateau(parse_device("emulated:gpus=4,t0=2ms,per_row=0"), "any", rows=10) == pytest.approx(2000)
    assert plateau(parse_device("emulated:t0=2ms,per_row=0"), "any", rows=10, joined=5) == pytest.approx(2500)
    assert plateau(parse_device("emulated:t0=0,per_row=1ms"), "any", rows=10, joined=5) == pytest.approx(100)
