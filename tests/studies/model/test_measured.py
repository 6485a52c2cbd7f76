"""What the report of a run says of an event, and what is said of one that says too little."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from reports import model, report

from eventbraid import ConfigurationError
from eventbraid.studies.model import Inputs, Measured, Requests, plan, read_report


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of a report, empty so far."""
    return tmp_path / "run.json"


def read(file: Path, content: Any) -> Measured:
    file.write_text(json.dumps(content))
    return read_report(file)


def test_a_blocking_run_gives_the_means_of_an_event(file: Path) -> None:
    found = read(file, report())
    assert (found.job, found.mode, found.streams, found.notes) == ("hlt", "blocking", 1, ())
    assert found.other == pytest.approx(0.013)  # 3 ms of the source
    assert found.preparing == pytest.approx(0.001)
    assert found.client == pytest.approx(0.001)
    assert found.away == pytest.approx(0.040)
    assert found.compute == pytest.approx(0.020)
    assert found.bits == 80_000
    assert found.trips == 1
    assert found.requests == (Requests("facile", 2, 20),)


def test_of_a_braided_run_queues_are_left_out_where_the_servers_tell_them(file: Path) -> None:
    crowded = report(mode="async", streams=16)
    crowded["modules"]["energies"]["external_seconds"] = 40.0
    found = read(file, crowded)
    assert found.streams == 16
    assert (found.other, found.client) == (pytest.approx(0.010), pytest.approx(0.004))
    assert found.away == pytest.approx(2 * (0.005 + 0.020))
    assert read(file, report(mode="async")).away == pytest.approx(0.040)  # sent at once: it was less than their sum


def test_cpu_time_beside_the_modules_is_of_the_requests_only_where_it_fits_into_them(file: Path) -> None:
    quick = model(split={"network": 0.0001})
    for changes in ({}, {"mode": "async"}):
        found = read(file, report(quick, **changes))
        assert found.client == pytest.approx(0.0002)
        assert found.other + found.client == pytest.approx(0.014)
    silent = read(file, report(model(split={"network": None, "server_compute": None}), mode="async"))
    assert (silent.client, silent.away) == (pytest.approx(0.004), pytest.approx(0.040))


def test_the_same_model_on_several_servers_is_one_model(file: Path) -> None:
    second = model(server="gpu2:8001", requests=100, rows=500, executions=100)
    found = read(file, report(model(), second))
    assert found.requests == (Requests("facile", 3, 25),)
    assert found.compute == pytest.approx(0.040)


def test_a_batch_of_several_requests_is_counted_once_unless_others_used_the_model(file: Path) -> None:
    assert read(file, report(model(executions=None))).compute == pytest.approx(0.040)
    shared = read(file, report(model(shared=True)))
    assert shared.compute == pytest.approx(0.040)
    assert shared.notes == ("others used 'facile' too: its requests count as batches of their own",)


def test_a_server_that_says_nothing_leaves_its_time_open(file: Path) -> None:
    silent = report(model(split={"server_compute": None, "network": None}))
    assert read(file, silent).compute is None
    assert read(file, report(*silent["inference"]["models"], model(server="b"))).compute is None
    with pytest.raises(ConfigurationError, match="the servers did not say how long they computed"):
        plan(Inputs(report=file))
    estimate = plan(Inputs(report=file, gpu_time=0.008))
    assert estimate.workload.gpu == 0.008
    assert estimate.workload.ideal == pytest.approx(0.054)


def test_what_is_odd_about_the_run_is_noted(file: Path) -> None:
    odd = report(interrupted=True, events={"read": 100, "failed": 3})
    odd["inference"]["fallback"] = [{"model": "facile", "requests": 4}, {"model": "other", "requests": 0}]
    assert read(file, odd).notes == (
        "3 of 100 events failed, and count as events",
        "the run was interrupted",
        "4 requests of 'facile' fell back: their work is in the client's CPU time",
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"events": {"read": 0}}, "'events.read': should be greater than or equal to 1, not 0"),
        ({"events": {"read": True}}, "'events.read': should be a valid integer, not True"),
        ({"mode": "fast"}, "'mode': should be 'async', 'blocking' or 'threads', not 'fast'"),
        ({"cpu_seconds": -1}, "'cpu_seconds': should be greater than or equal to 0, not -1"),
        ({"cpu_seconds": float("nan")}, "'cpu_seconds': should be a finite number, not nan"),
        ({"cpu_seconds": 10**400}, "'cpu_seconds': should be"),
        ({"modules": {"a": {"calls": 1}}}, "'modules.a.cpu_seconds': required"),
        ({"modules": []}, "'modules': should be a valid dictionary, not []"),
        ({"modules": {}}, "has no times of modules: the job ran without timing (eventbraid run"),
        ({"inference": {}}, "has no request to a model that was answered"),
        ({"inference": {"models": [model(requests=0)]}}, "has no request to a model that was answered"),
        ({"inference": {"models": [model(executions="5")]}}, "'inference.models.0.executions': should be a valid integer, not '5'"),
    ],
)  # fmt: skip
def test_a_report_with_a_wrong_value_is_refused_with_its_place(file: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(file, report(**changes))
    assert text in str(raised.value)
    assert str(file) in str(raised.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "is no JSON: Expecting value"),
        ("[" * 100_000, "is no JSON: "),
        ("[]", "is no report of a run: it is no object (one is written by eventbraid run job.py --json report.json)"),
        ('{"job": "hlt"}', "is no report of a run: it has no 'mode', 'streams', 'events'"),
        ('{"points": [], "differences": []}', "is the result of `eventbraid compare` (take that of one run"),
    ],
)
def test_what_is_no_report_is_told_so(file: Path, content: str, text: str) -> None:
    file.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        read_report(file)
    assert text in str(raised.value)


def test_a_file_that_is_not_there_or_far_too_large_is_told_so(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        read_report(file)
    with file.open("wb") as stream:
        stream.truncate((1 << 26) + 1)
    with pytest.raises(ConfigurationError, match="is larger than 64 MiB"):
        read_report(file)
