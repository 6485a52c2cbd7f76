"""From options and reports to an estimate, and what contradicts itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from reports import model, report

from eventbraid import ConfigurationError
from eventbraid.serving.emulation import parse_device
from eventbraid.studies.model import Estimate, Farm, Inputs, Prices, Requests, device_seconds, plan
from eventbraid.studies.model.picture import curves
from eventbraid.studies.model.table import sections

GIVEN: dict[str, Any] = {"other": 0.1, "gpu_time": 0.01}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The report of a blocking run."""
    made = tmp_path / "run.json"
    made.write_text(json.dumps(report()))
    return made


def faults(**options: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        plan(Inputs(**options))
    return [str(fault) for fault in raised.value.faults]


def test_numbers_alone_are_enough() -> None:
    found = plan(Inputs(**GIVEN, rows=1000, batch=300, row_bytes=125, bandwidth=1e7, latency=0.02, module=0.5))
    assert found.workload.transmit == pytest.approx(0.1)
    assert found.workload.travel == pytest.approx(4 * 0.02)
    assert (found.farm, found.name, found.prices) == (Farm(), "a job", None)
    assert found.saturation == pytest.approx(29)
    assert found.clients == 29
    assert found.events == 1_000_000


def test_clients_prices_and_farm_are_taken_as_given() -> None:
    given = {"gpus": 3, "streams": 8, "clients": 5, "cpu_price": 1, "gpu_price": 2, "server_bandwidth": 1e9}
    found = plan(Inputs(**GIVEN, **given, rate=7, events=9))
    assert (found.farm, found.clients) == (Farm(gpus=3, streams=8, bandwidth=1e9), 5)
    assert (found.prices, found.rate, found.events) == (Prices(1, 2), 7, 9)


def test_a_gpus_rate_is_of_rows() -> None:
    assert plan(Inputs(other=0, rows=500, gpu_rate=1000)).workload.gpu == 0.5


def test_one_client_is_the_least() -> None:
    assert plan(Inputs(other=0, gpu_time=1, streams=64)).clients == 1


def test_a_device_gives_time_efficiency_and_number_of_gpus() -> None:
    device = parse_device("emulated:t4,gpus=8")
    found = plan(Inputs(other=1, device=device, model="resnet50", rows=20, batch=10))
    assert found.workload.gpu == pytest.approx(0.080)
    assert (found.farm.gpus, found.farm.efficiency) == (8, pytest.approx(0.85))
    assert plan(Inputs(other=1, device=device, model="ResNet-50", rows=20, gpus=1)).farm.gpus == 1


def test_joined_requests_share_what_a_batch_costs() -> None:
    device = parse_device("emulated:v100")
    given: dict[str, Any] = {"other": 1, "device": device, "model": "deepcalo", "rows": 5}
    assert plan(Inputs(**given)).workload.gpu == pytest.approx(1 / 680, rel=1e-3)
    assert plan(Inputs(**given, joined=100)).workload.gpu == pytest.approx(1 / 9800, rel=1e-3)


def test_a_mean_of_rows_is_some_requests_with_one_row_more() -> None:
    device = parse_device("emulated:t0=1s,per_row=10ms,most=2")
    found, _ = device_seconds(device, [Requests("m", 4, 10)])  # two of 2 rows, two of 3, which need two passes
    assert found == pytest.approx(2 * 1.02 + 2 * 2.03)


def test_a_preset_that_has_not_the_model_takes_what_the_device_says_of_it() -> None:
    device = parse_device("emulated:v100,mine.t0=1s,mine.per_row=0")
    assert device_seconds(device, [Requests("mine", 3, 30)]) == (3, 1)


def test_a_report_gives_the_measured_event(file: Path) -> None:
    found = plan(Inputs(report=file))
    assert found.name == "hlt"
    assert found.workload.ideal == pytest.approx(0.054)  # as it was
    assert found.workload.gpu == pytest.approx(0.020)
    assert found.workload.packing == pytest.approx(0.002)
    assert found.saturation == pytest.approx(0.054 / 0.020)
    assert found.workload.module is None


def test_a_faster_gpu_leaves_the_network_of_the_report(file: Path) -> None:
    found = plan(Inputs(report=file, gpu_time=0.001))
    assert found.workload.ideal == pytest.approx(0.054 - 0.019)
    device = parse_device("emulated:v100")
    assert plan(Inputs(report=file, device=device)).workload.gpu == pytest.approx(2 * 1.6e-3, rel=1e-3)


def test_a_report_of_a_server_on_a_cpu_says_what_the_module_takes_without_one(file: Path) -> None:
    found = plan(Inputs(report=file, on_cpu=True, gpu_time=0.001))
    assert found.workload.module == pytest.approx(0.020 + 0.001)
    assert found.workload.replacement == pytest.approx((0.021 - 0.002) / 0.001)


def test_options_take_the_place_of_what_the_report_says(file: Path) -> None:
    found = plan(Inputs(report=file, other=1, packing=2, module=3, latency=0.5, bandwidth=8e4, streams=4))
    assert (found.workload.other, found.workload.packing, found.workload.module) == (1, 2, 3)
    assert (found.workload.travel, found.workload.transmit) == (0.5, 1.0)
    assert found.farm.streams == 4
    assert plan(Inputs(report=file, latency=0.5)).workload.transmit == 0


def test_a_braided_run_has_its_own_number_of_events_in_flight(file: Path) -> None:
    file.write_text(json.dumps(report(mode="async", streams=16)))
    assert plan(Inputs(report=file)).farm.streams == 16
    assert plan(Inputs(report=file, streams=1)).farm.streams == 1


def test_every_contradiction_is_told_at_once(file: Path) -> None:
    assert faults() == [
        "--other: is needed (CPU time of an event's other modules, as in --other 110s; or --report FILE)",
        "the GPU's time: is needed (--gpu-time 1.8s, or --gpu-rate 31000 rows/s, or --device emulated:t4)",
    ]
    assert faults(report=file, on_cpu=True, module=1, model="a", rows=1, batch=1, row_bytes=1.0, joined=2) == [
        "--on-cpu: leaves open how fast a GPU is (--gpu-time 1.8s, or --gpu-rate 31000 rows/s, or --device emulated:t4)",
        "--joined: is only for --device",
        "--model: is what the report says (leave it out, or leave out --report)",
        "--rows: is what the report says (leave it out, or leave out --report)",
        "--batch: is what the report says (leave it out, or leave out --report)",
        "--row-bytes: is what the report says (leave it out, or leave out --report)",
        "--module: says the same as --on-cpu (give one of them)",
    ]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"gpu_rate": 5.0, "rows": 1}, "--gpu-rate: says the same as --gpu-time (give one of them)"),
        ({"batch": 5}, "--batch: needs --rows (how many rows an event has in all its requests)"),
        ({"row_bytes": 5.0}, "--row-bytes: needs --rows (how many rows an event has in all its requests)"),
        ({"bandwidth": 5.0}, "--bandwidth: needs --row-bytes (or nobody knows how much is sent)"),
        ({"cpu_price": 5.0}, "--cpu-price and --gpu-price: go together (the price of an hour of each)"),
        ({"on_cpu": True}, "--on-cpu: is only for --report"),
        ({"gpu_time": -1.0}, "eventbraid plan: --gpu-time: must be above 0 and at most 1e+15, not -1"),
        ({"gpu_time": float("nan")}, "eventbraid plan: --gpu-time: must be above 0 and at most 1e+15, not nan"),
        ({"latency": -1.0}, "eventbraid plan: --latency: must be at least 0 and at most 1e+15, not -1"),
        ({"row_bytes": 0.0, "rows": 1}, "eventbraid plan: --row-bytes: must be above 0 and at most 1e+15, not 0"),
        ({"clients": 0}, "eventbraid plan: --clients: must be at least 1 and at most 1e+15, not 0"),
        ({"rate": 0.0}, "eventbraid plan: --rate: must be above 0 and at most 1e+15, not 0"),
    ],
)
def test_what_does_not_fit_is_named(options: dict[str, Any], fault: str) -> None:
    assert faults(**{**GIVEN, **options}) == [fault]


def test_a_model_that_the_preset_has_not_is_told_with_the_nearest() -> None:
    device = parse_device("emulated:v100")
    assert faults(other=1, rows=1, device=device) == [
        "--device: needs --model, one that v100 knows (there is 'deepcalo', 'facile')"
    ]
    (fault,) = faults(other=1, rows=1, device=device, model="facil")
    assert fault.startswith("--device: the preset 'v100' has no model 'facil' (did you mean 'facile'?")
    (fault,) = faults(other=1, rows=1, device=parse_device("emulated:a.t0=1s"), model="b")
    assert "there is no model 'a'" in fault


def test_the_estimate_is_written_whole_and_as_valid_json(file: Path) -> None:
    file.write_text(json.dumps(report(model(split={"server_compute": 1e-9}))))
    everything = Inputs(report=file, module=1, rate=5, cpu_price=1, gpu_price=1)
    for found in (plan(everything), plan(Inputs(**GIVEN))):
        assert isinstance(found, Estimate)
        written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert written["farm"]["events_per_second"] == pytest.approx(found.events_per_second)
        assert written["farm"]["clients_per_gpu"] == pytest.approx(found.saturation)
    assert (written["event"]["cpu_only"], written["needs"], written["cost"]["cost"]) == (None, None, None)


numbers = st.none() | st.floats(allow_nan=True) | st.sampled_from([1e-12, 1e15, 5e-324])
wholes = st.none() | st.integers(-1, 10**20) | st.integers(1, 100)
options = st.fixed_dictionaries(
    {"other": numbers, "gpu_time": numbers, "rows": wholes, "gpus": wholes, "streams": wholes, "clients": wholes},
    optional={
        **dict.fromkeys(("module", "packing", "row_bytes", "gpu_rate", "bandwidth", "latency", "rate"), numbers),
        **dict.fromkeys(("server_bandwidth", "cpu_price", "gpu_price"), numbers),
        "batch": wholes,
        "events": st.integers(-1, 10**20),
    },
)


@given(options)
def test_any_numbers_give_an_estimate_in_numbers_or_a_clear_error(chosen: dict[str, Any]) -> None:
    try:
        found = plan(Inputs(**chosen))
    except ConfigurationError:
        return
    json.dumps(found.to_dict(), allow_nan=False)
    assert all(name and value for _, rows in sections(found) for name, value, _ in rows)
    for curve in curves(found):
        assert np.all(np.isfinite(curve.event_seconds))
