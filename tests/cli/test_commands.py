"""The commands: what they print, the JSON they write, their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import GOOD, RAISES

from eventbraid.cli import main
from eventbraid.cli.options import parse_settings


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good job file in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "job.py"
    file.write_text(GOOD)
    return file


class Called:
    """What a command did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls a command in this process."""

    def run(*arguments: str) -> Called:
        monkeypatch.setattr(sys, "argv", ["eventbraid", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Called(code, said.out, said.err)

    return run


@pytest.mark.parametrize("mode", ["async", "blocking"])
def test_run_shows_a_summary_and_writes_json(call: Any, job: Path, mode: str) -> None:
    called = call("run", "job.py", "--mode", mode, "--json", "-")
    assert called.code == 0
    assert "10 events read, 5 passed, 0 failed, 5 not selected" in called.err
    assert "external mean ms" in called.err
    report = json.loads(called.out)
    assert report["events"]["passed"] == 5
    assert report["mode"] == mode


def test_run_takes_events_streams_and_settings(call: Any, job: Path) -> None:
    report = json.loads(
        call("run", "job.py", "--events", "4", "--streams", "2", "--set", "n.scale=2", "--json", "-").out
    )
    assert report["events"]["read"] == 4
    assert report["streams"] == 2
    assert report["events"]["passed"] == 4


def test_a_job_of_no_events_ends_well(call: Any, job: Path) -> None:
    called = call("run", "job.py", "--events", "0")
    assert called.code == 0
    assert "0 events read" in called.err


def test_a_module_that_raises_is_shown_with_the_line_of_the_users_code(call: Any, job: Path) -> None:
    job.write_text(RAISES)
    called = call("run", "job.py", "--json", "report.json")
    assert called.code == 1
    assert "error: module 'away', step external work, path 'p', event 1:1:4: ZeroDivisionError" in called.err
    assert "job.py:" in called.err
    assert "return 1 // (acquired - 4)" in called.err
    assert "Traceback" not in called.err
    assert json.loads(Path("report.json").read_text())["events"]["failed"] == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "jub.py"], "jub.py: does not exist (there is job.py)"),
        (["run", "job.py", "--mode", "blokcing"], "there is no mode 'blokcing': did you mean 'blocking'?"),
        (["run", "job.py", "--set", "m.scale=2"], "there is no module 'm'"),
        (["run", "job.py", "--set", "n.scale"], "must be label.parameter=value, not 'n.scale'"),
        (["run", "job.py", "--set", "n.scael=2"], "has no parameter 'scael' (did you mean 'scale'?)"),
        (["run", "job.py", "--set", "n.scale=-1"], "should be greater than or equal to 0, not -1"),
        (["run", "job.py", "--events", "-1"], "events must be a whole number of at least 0, not -1"),
        (["run", "job.py", "--streams", "0"], "streams must be a whole number of at least 1, not 0"),
        (["run", "job.py", "--json", "no/where.json"], "no/where.json: cannot be written"),
        (["run", "job.py", "--control", "nowhere"], "'nowhere' is no server address: expected \"host:port\""),
        (["check", "job.py", "--set", "n.scale=-1"], "should be greater than or equal to 0, not -1"),
        (["graph", "job.py", "--format", "svg"], "must be mermaid or dot, not 'svg'"),
        (["describe", "job.py:Nmber"], "did you mean 'Number'?"),
        (["describe", "Number"], "must be package.module:Class or file.py:Class"),
        (["describe", "no.such.module:Number"], "cannot be imported"),
        (["status", "nowhere"], "is no server address"),
        (["serve", "--models", "nowhere"], "nowhere: is no folder with models"),
        (["serve", "--latency", "fast"], "'fast' is no duration: expected a number with us, ms or s"),
    ],
)
def test_bad_input_gets_a_clear_error_and_exit_code_2(call: Any, job: Path, arguments: list[str], text: str) -> None:
    called = call(*arguments)
    assert text in called.err
    assert called.code == 2
    assert "Traceback" not in called.err


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = (", "job.py:1: does not compile"),
        ("import nothing_like_it", "job.py:1: raises ModuleNotFoundError"),
        ("x = 1\ny = x / 0\n", "job.py:2: raises ZeroDivisionError"),
        ("x = 1\n", "holds no job (write job = Job(...))"),
        ("job = 5\n", "job is int, not a Job"),
    ],
)
def test_a_broken_job_file_is_told_by_its_line(call: Any, job: Path, source: str, text: str) -> None:
    job.write_text(source)
    called = call("check", "job.py")
    assert called.code == 2
    assert text in called.err
    assert "Traceback" not in called.err


def test_check_names_every_fault_and_warning(call: Any, job: Path) -> None:
    job.write_text(GOOD.replace('paths={"p": ["odd"]}', 'paths={"p": ["od"], "q": ["awya"]}'))
    called = call("check", "job.py", "--json", "-")
    assert called.code == 2
    assert len(json.loads(called.out)["faults"]) == 2
    job.write_text(GOOD.replace('paths={"p": ["odd"]}', 'paths={"p": ["n"]}'))
    called = call("check", "job.py", "--json", "-")
    assert called.code == 0
    assert len(json.loads(called.out)["warnings"]) == 2


def test_describe_shows_parameters_inputs_and_outputs_and_a_schema(call: Any, job: Path) -> None:
    assert "what it is multiplied with" in call("describe", "job.py:Number").out
    found = json.loads(call("describe", "job.py:Number", "--json", "-").out)
    assert found["outputs"] == [{"name": "n", "type": "int", "doc": ""}]
    assert found["schema"]["properties"]["scale"]["minimum"] == 0


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("mermaid", ["flowchart LR", "n -->|n| away", "external work", 'subgraph path0["path p"]']),
        ("dot", ['digraph "small"', '"n" -> "away"', "external work", 'label="path p"']),
    ],
)
def test_graph_draws_data_flow_paths_and_external_work(call: Any, job: Path, form: str, texts: list[str]) -> None:
    drawn = call("graph", "job.py", "--format", form).out
    for text in texts:
        assert text in drawn


def test_settings_are_read_as_json_where_they_are_json() -> None:
    assert parse_settings(["a.b=1.5", "a.c=[1, 2]", "a.d=facile", 'a.e="1"', "a.f=x=y"]) == {
        "a.b": 1.5,
        "a.c": [1, 2],
        "a.d": "facile",
        "a.e": "1",
        "a.f": "x=y",
    }


def test_the_installed_command_runs_a_job(job: Path) -> None:
    command = [str(Path(sys.executable).with_name("eventbraid")), "run", str(job), "--events", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 events read" in done.stderr
