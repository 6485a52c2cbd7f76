"""compare, scale and plan from end to end, on the examples' jobs, as a user calls them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from workflows import Called, Workflow, call

EVENTS = 6


@pytest.fixture(params=["emulated", pytest.param("triton", marks=pytest.mark.triton)])
def server(request: pytest.FixtureRequest, workflow: Workflow) -> tuple[str, ...]:
    """The options of a study: emulated GPUs of its own, or the real Triton."""
    if request.param == "emulated":
        return ("--device", workflow.device)
    return ("--server", request.getfixturevalue("real"))


def requests_of(report: Any, workflow: Workflow) -> Any:
    """Of the one model on the one server that a run asked."""
    (asked,) = report["inference"]["models"]
    assert asked["model"] == workflow.model
    assert asked["requests"] > 0
    return asked


def test_compare_shows_both_modes_with_the_same_products(
    workflow: Workflow, server: tuple[str, ...], cache: Path, tmp_path: Path
) -> None:
    sizes = ("--events", str(EVENTS), "--streams", "4", "--repeats", "1")
    called = call(
        tmp_path, "compare", workflow.file, *sizes, *server, "--json", "compare.json", EVENTBRAID_CACHE=str(cache)
    )
    assert f"identical in all 2 runs, bit for bit: {workflow.products}" in called.said
    assert [(row[0], row[1]) for row in called.rows()] == 2 * [("blocking", "1"), ("async", "4")]
    found = called.json("compare.json")
    assert found["complete"]
    assert found["identical"]
    for point in found["points"]:
        figures, (run,) = point["figures"], point["runs"]
        assert run["events"]["read"] == EVENTS
        assert run["events"]["failed"] == 0
        rate = figures["events_per_second"]["median"]
        assert rate == pytest.approx(EVENTS / run["seconds"])
        cpu = run["cpu_seconds"] / EVENTS  # more than the time by the clock where libraries have threads
        assert sum(point["event_seconds"].values()) == pytest.approx(max(1 / rate, cpu))
        assert not any("Decisions" in module for module in run["modules"])
        assert 0.3 < figures["in_flight"] <= point["streams"]
        (load,) = point["servers"]
        assert load["requests_an_event"] == requests_of(run, workflow)["requests"] / EVENTS
        if "--device" in server:
            assert load["server_compute"] * load["requests_an_event"] >= 0.9 * workflow.gpu_seconds(run)
    (bound,) = found["bounds"]
    assert bound["events_needed"] >= bound["lowest"] * bound["latency"]  # Little's law
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["compare.json", "compare.png"]


@pytest.mark.slow
def test_scale_measures_one_client_and_two_beside_the_model(
    workflow: Workflow, server: tuple[str, ...], cache: Path, tmp_path: Path
) -> None:
    sizes = ("--events", "12", "--mode", "blocking", "--clients", "2", "--results", "kept")
    files = ("--json", "scale.json", "--plot", "scale.png")
    called = call(tmp_path, "scale", workflow.file, *sizes, *server, *files, EVENTBRAID_CACHE=str(cache))
    gpus = 1 if "--device" in server else None
    found = called.json("scale.json")
    assert [(point["gpus"], point["clients"], point["events"]) for point in found["points"]] == [
        (gpus, 1, 12),
        (gpus, 2, 24),
    ]
    one, two = found["points"]
    assert [row[bool(gpus) :][0] for row in called.rows()] == ["1", "2"]
    for point in found["points"]:
        assert point["failed"] == 0
        assert 0 < point["module_seconds"] < point["clients"] / point["events_per_second"]
        assert point["events_per_second"] * point["event_seconds"] < 1.5 * point["clients"]  # Little's law
    assert one["expected"]["events_per_second"] == pytest.approx(one["events_per_second"])
    assert two["expected"]["events_per_second"] <= 2.001 * one["events_per_second"]
    saturation = found["gpus"][0]["expected_saturation_clients"]
    kept = json.loads((tmp_path / f"kept/{'gpus-1-' if gpus else ''}clients-1.json").read_text())
    asked = requests_of(kept["report"], workflow)
    gpu_seconds = asked["executions"] * asked["split"]["server_compute"] / 12
    assert saturation == pytest.approx(1 / one["events_per_second"] / gpu_seconds)
    if gpus:
        assert gpu_seconds >= 0.9 * workflow.gpu_seconds(kept["report"])
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")


def agrees(planned: Any, report: Any) -> None:
    """What an event costs the client is what the process of the run took."""
    event, events = planned["event"], report["events"]["read"]
    assert (event["other"] + event["packing"]) * events == pytest.approx(report["cpu_seconds"], rel=1e-6)
    assert event["client_cpu"] == pytest.approx(event["other"] + event["packing"])
    assert planned["cost"]["hours"]["cpu"] >= 1_000_000 * event["client_cpu"] / 3600
    farm = planned["farm"]
    assert farm["events_per_second"] == pytest.approx(farm["clients"] / farm["event_seconds"])  # Little's law
    assert farm["clients"] <= farm["saturation"] < farm["clients"] + 1 or farm["clients"] == 1


def figure(called: Called, name: str) -> str:
    """The value of a row of a plan."""
    (value,) = [row[1] for row in called.rows() if row[0] == name]
    return value


def test_plan_says_of_a_run_on_this_machine_what_a_gpu_would_give(
    workflow: Workflow, cache: Path, tmp_path: Path
) -> None:
    ran = ("--events", str(EVENTS), "--mode", "blocking", "--json", "run.json")
    report = call(tmp_path, "run", workflow.file, *ran, EVENTBRAID_CACHE=str(cache)).json("run.json")
    given = ("--on-cpu", "--device", workflow.device, "--latency", "12ms", "--bandwidth", "1Gbps")
    called = call(tmp_path, "plan", "--report", "run.json", *given, "--json", "plan.json")
    planned = called.json("plan.json")
    assert planned["name"] == workflow.name
    agrees(planned, report)
    event, asked = planned["event"], requests_of(report, workflow)
    assert event["gpu"] == pytest.approx(workflow.gpu_seconds(report), rel=1e-3)
    assert event["travel"] == pytest.approx(0.012)
    assert event["transmit"] == pytest.approx(8 * max(asked["bytes_sent"], asked["bytes_received"]) / EVENTS / 1e9)
    assert event["module"] >= asked["requests"] * asked["split"]["server_compute"] / EVENTS / 2
    assert figure(called, "speed-up") == f"{planned['farm']['speed_up']:.3g}"


@pytest.mark.triton
def test_plan_takes_from_a_run_how_long_triton_computed(workflow: Workflow, real: str, tmp_path: Path) -> None:
    ran = ("--server", real, "--events", str(EVENTS), "--mode", "blocking", "--json", "run.json")
    report = call(tmp_path, "run", workflow.file, *ran).json("run.json")
    called = call(tmp_path, "plan", "--report", "run.json", "--gpus", "2", "--json", "plan.json")
    planned = called.json("plan.json")
    agrees(planned, report)
    asked = requests_of(report, workflow)
    assert asked["executions"] == asked["requests"]
    assert planned["event"]["gpu"] * EVENTS == pytest.approx(asked["requests"] * asked["split"]["server_compute"])
    assert figure(called, "clients a GPU") == f"{planned['farm']['saturation'] / 2:.3g}"
