"""The child runs one mode of a job with its outputs sent elsewhere, and writes what it measured."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from eventbraid import EventID, PathResult, PathState
from eventbraid.outputs import Row
from eventbraid.studies.comparison.child import Decisions, Recorder, main, measure


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "job.py").write_text(
        "from eventbraid import Job\nfrom eventbraid.outputs import ParquetOutput\n"
        "from eventbraid.sources import EmptySource\n"
        "job = Job('ids', source=EmptySource(events=9), modules={}, outputs=[ParquetOutput('ids.parquet')])\n"
    )
    return {
        "job_file": str(tmp_path / "job.py"),
        "mode": "blocking",
        "events": 3,
        "streams": None,
        "servers": [],
        "accelerators": ["cpu"],
        "seed": 1,
        "settings": {},
        "local": False,
        "folder": str(tmp_path / "folder"),
        "keep_steps": [1, 2],
        "result": str(tmp_path / "result.json"),
    }


def test_the_report_latencies_and_files_of_a_run_are_measured(request_of: dict[str, Any]) -> None:
    result = measure(request_of)
    assert result["report"]["events"]["read"] == 3
    assert len(result["latencies"]) == 3
    assert {step.event for step in result["steps"]} == {1}
    assert Path(result["files"]["ids.parquet"]).is_file()


def test_a_fault_of_the_job_is_the_result(request_of: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    request: dict[str, Any] = {**request_of, "settings": {"source.event": 1}}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(request)))
    assert main() == 0
    result = json.loads(Path(request["result"]).read_text())
    assert "did you mean 'events'?" in result["error"]
    assert result["exit_code"] == 2


def test_a_decision_says_how_a_path_ended_and_by_which_module() -> None:
    decisions = Decisions()
    ends = {"p": PathResult(PathState.PASS), "q": PathResult(PathState.FAIL, "cut")}
    decisions.write([Row(EventID(1, 1, 7), {}, ends)])
    assert decisions.found == [("1:1:7", "pass", "fail by cut")]


def test_a_latency_is_from_reading_to_end() -> None:
    recorder = Recorder(0, 0)
    recorder.event_begins(EventID(1, 1, 1), 0, 10.0)
    recorder.event_begins(EventID(1, 1, 2), 1, 10.5)
    recorder.event_ends(EventID(1, 1, 2), 1, 11.0, failed=False, passed=True)
    recorder.event_ends(EventID(1, 1, 1), 0, 12.0, failed=False, passed=True)
    assert recorder.latencies == [0.5, 2.0]


def test_a_switch_is_decided_by_the_request_not_by_the_server_that_was_started_for_it(
    request_of: dict[str, Any],
) -> None:
    Path(request_of["job_file"]).write_text(
        "from eventbraid import Event, Job, Output, Producer, Switch\nfrom eventbraid.outputs import ParquetOutput\n"
        "from eventbraid.sources import EmptySource\n"
        "class Here(Producer):\n    number = Output[int]()\n"
        "    def produce(self, event: Event) -> None:\n"
        "        event[self.number] = int(event.random(self).integers(1000))\n"
        "class Away(Here):\n    def produce(self, event: Event) -> None:\n        raise OSError\n"
        "job = Job('s', source=EmptySource(events=9), modules={'n': Switch(server=Away(), cpu=Here())},"
        " outputs=[ParquetOutput('n.parquet', keep=['n'])])\n"
    )
    tables = [
        parquet.read_table(measure({**request_of, "servers": ["a:1"], "seed": seed})["files"]["n.parquet"])
        for seed in (1, 2, 1)
    ]
    assert tables[0]["n"] == tables[2]["n"] != tables[1]["n"]
