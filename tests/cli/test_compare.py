"""`eventbraid compare`: its options, its files, and Ctrl-C in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import GOOD


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good job file in the current folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.py").write_text(GOOD)
    return tmp_path


def test_every_point_is_run_and_shown_and_written_to_both_files(call: Any, job: Path) -> None:
    options = ["--mode", "blocking", "--mode", "threads", "--mode", "async", "--streams", "1,4", "--repeats", "1"]
    called = call("compare", "job.py", *options, "--report", "report.html", "--json", "-")
    assert called.code == 0, called.err
    names = [each["name"] for each in json.loads(called.out)["points"]]
    assert names == [
        "blocking",
        "threads, 1 in flight",
        "threads, 4 in flight",
        "async, 1 in flight",
        "async, 4 in flight",
    ]
    page = (job / "report.html").read_text()
    for name in names:
        assert f"{name}, run 1 of 1" in called.err
        assert f"<summary>{name}</summary>" in page
    assert "report: report.html" in called.err
    assert (job / "compare.png").is_file()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mode", "blokcing"], "there is no mode 'blokcing' (did you mean 'blocking'?)"),
        (["--streams", "1,x"], "--streams: must be whole numbers between commas, not '1,x'"),
        (["--distance", "12"], "--distance: '12' is no duration"),
        (["--distance", "12ms"], "--distance: no module of job 'small' asks an inference server"),
        (["--bandwidth", "fast"], "'fast' is no bandwidth: expected 1Gbps"),
        (["--device", "emulated:t4"], "--device: no module of job 'small' asks an inference server"),
        (["--device", "v100"], "--device: 'v100' is no emulated device"),
        (["--mode", "local"], "no module of job 'small' asks a model"),
        (["--report", "nowhere/report.html"], "nowhere/report.html: cannot be written: there is no such folder"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(call: Any, job: Path, options: list[str], says: str) -> None:
    called = call("compare", "job.py", *options)
    assert called.code == 2
    assert says in called.err
    assert "warming" not in called.err


def test_an_interrupted_study_shows_and_writes_what_had_ended(job: Path) -> None:
    options = ["--repeats", "1000", "--report", "report.html", "--json", "found.json"]
    program = "from eventbraid.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "compare", "job.py", *options], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any("blocking, run 2 of 1000" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "of 2000 runs had ended" in said
    found = json.loads((job / "found.json").read_text())
    assert not found["complete"]
    assert len(found["points"][0]["runs"]) >= 2
    assert "had ended" in (job / "report.html").read_text()
    assert (job / "compare.png").is_file()


THIRD_FAILS = """    kind = "shared"

    def begin_job(self) -> None:
        with open("runs", "a+") as runs:
            runs.write(".")
            if runs.tell() > 3:
                raise OSError("beam dump")

    async def acquire(self"""
"""One copy a run: the warming run and one of each mode go well, the next does not."""


def test_a_study_that_fails_in_the_middle_shows_and_writes_what_had_ended(call: Any, job: Path) -> None:
    (job / "job.py").write_text(GOOD.replace("    async def acquire(self", THIRD_FAILS))
    called = call("compare", "job.py", "--repeats", "2", "--json", "found.json")
    assert called.code == 1
    assert "2 of 4 runs had ended" in called.err
    assert "error: blocking, run 2 failed: " in called.err
    assert "beam dump" in called.err
    found = json.loads((job / "found.json").read_text())
    assert [len(each["runs"]) for each in found["points"]] == [1, 1]
