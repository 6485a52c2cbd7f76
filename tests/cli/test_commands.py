"""The commands: what they print, the JSON they write, their exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import GOOD, RAISES

from eventbraid.cli.options import parse_settings


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good job file in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "job.py"
    file.write_text(GOOD)
    return file


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
        (["run", "job.py", "--json", "no/where.json"], "no/where.json: cannot be written: there is no such folder"),
        (["run", "job.py", "--json", "."], ".: cannot be written: it is a folder"),
        (["graph", "job.py", "--output", "no/graph.md"], "no/graph.md: cannot be written"),
        (["run", "job.py", "--control", ":0"], "':0' is no server address"),
        (["run", "job.py", "--control", "nowhere"], "'nowhere' is no server address: expected \"host:port\""),
        (["check", "job.py", "--set", "n.scale=-1"], "should be greater than or equal to 0, not -1"),
        (["graph", "job.py", "--format", "svg"], "must be mermaid or dot, not 'svg'"),
        (["describe", "job.py:Nmber"], "did you mean 'Number'?"),
        (["describe", "Number"], "must be package.module:Class, file.py:Class or job.py:label"),
        (["describe", "no.such.module:Number"], "cannot be imported"),
        (["status", "nowhere"], "is no server address"),
        (["serve", "--models", "nowhere"], "nowhere: is no folder with models"),
        (["serve", "--latency", "fast"], "'fast' is no duration: expected a number with ns, us, ms, s, min or h"),
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
        ("mermaid", ["flowchart LR", 'n -->|"n"| away', "external work", 'subgraph path0["path p"]']),
        ("dot", ['digraph "small"', '"n" -> "away"', "external work", 'label="path p"']),
    ],
)
def test_graph_draws_data_flow_paths_and_external_work(call: Any, job: Path, form: str, texts: list[str]) -> None:
    drawn = call("graph", "job.py", "--format", form).out
    for text in texts:
        assert text in drawn


def test_graph_keeps_names_apart_from_the_words_of_the_language(call: Any, job: Path) -> None:
    text = GOOD.replace('"n": Number()', '"end": Number(), "source": Number()').replace(
        'Input[int]("n")', 'Input[int]("end")'
    )
    job.write_text(text.replace('"p": ["odd"]', "'a \"b\"': ['source', 'odd']"))
    drawn = call("graph", "job.py").out
    for line in ('end_["end<br/>', 'source_["source<br/>', 'end_ -->|"end"| away', 'path0["path a #quot;b#quot;"]'):
        assert line in drawn
    assert 'label="path a \\"b\\""' in call("graph", "job.py", "--format", "dot").out


def test_graph_writes_nodes_edges_and_paths_as_json(call: Any, job: Path) -> None:
    found = json.loads(call("graph", "job.py", "--json", "-").out)
    assert found["edges"] == [
        {"from": "n", "to": "away", "product": "n"},
        {"from": "away", "to": "odd", "product": "away"},
    ]
    assert found["paths"] == {"p": ["odd"]}
    assert [(node["label"], node["external"], node["on_demand"]) for node in found["nodes"]] == [
        ("n", False, True), ("away", True, True), ("odd", False, False),
    ]  # fmt: skip


def test_graph_writes_the_file_that_it_is_given(call: Any, job: Path) -> None:
    called = call("graph", "job.py", "--output", "graph.md")
    assert (called.code, called.out) == (0, "")
    assert Path("graph.md").read_text().startswith("flowchart LR")


def test_names_and_types_with_brackets_are_shown_whole(call: Any, job: Path) -> None:
    job.write_text(GOOD.replace("n = Output[int]()", "n = Output[list[int]]()").replace('"p"', '"p[/30]"'))
    assert "list[int]" in call("describe", "job.py:Number").out
    job.write_text(GOOD.replace('"p"', '"p[/30]"'))
    assert "p[/30]" in call("run", "job.py").err


def test_describe_finds_a_module_of_the_current_folder_and_the_line_that_breaks_it(
    call: Any, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("described_here.py").write_text(GOOD)
    assert call("describe", "described_here:Number").code == 0
    Path("broken_here.py").write_text("x = 1\ny = x / 0\n")
    called = call("describe", "broken_here:Number")
    assert called.code == 2
    assert "broken_here.py:2 in <module>: y = x / 0" in called.err


@pytest.mark.parametrize(("source", "options"), [("5", []), ("5", ["--events", "3"]), ('EmptySource(events="x")', [])])
def test_a_wrong_source_is_a_fault_of_the_job(call: Any, job: Path, source: str, options: list[str]) -> None:
    job.write_text(GOOD.replace("EmptySource(events=10)", source))
    called = call("run", "job.py", *options)
    assert called.code == 2
    assert "source" in called.err
    assert "Traceback" not in called.err


def test_setting_a_parameter_of_what_is_no_module_is_a_fault_of_the_job(call: Any, job: Path) -> None:
    job.write_text(GOOD.replace('"n": Number()', '"n": Number'))
    called = call("run", "job.py", "--set", "n.scale=2")
    assert called.code == 2
    assert "write it with parentheses" in called.err


def test_the_line_shown_is_the_one_that_raised_last_whatever_the_folder_is_called(call: Any, job: Path) -> None:
    folder = job.parent / "eventbraid"
    folder.mkdir()
    raising = (
        "try:\n            int('no')\n        except ValueError as error:\n"
        "            raise RuntimeError('mine') from error"
    )
    (folder / "job.py").write_text(GOOD.replace("return acquired + 1", raising))
    called = call("run", "eventbraid/job.py", "--streams", "1")
    assert called.code == 1
    assert "in external_work: raise RuntimeError('mine') from error" in called.err
    assert called.err.count("event 1:1:1: RuntimeError") == 1


def test_run_says_where_the_job_can_be_controlled(call: Any, job: Path) -> None:
    called = call("run", "job.py", "--control", "127.0.0.1:0")
    assert called.code == 0
    assert re.search(r"job control at 127\.0\.0\.1:[1-9]\d*\n", called.err)


def test_status_of_no_job_is_an_error_with_exit_code_1(call: Any) -> None:
    called = call("status", "127.0.0.1:1")
    assert called.code == 1
    assert "no job offers its control here" in called.err


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
