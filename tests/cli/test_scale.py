"""`eventbraid scale`: options that cannot be, and Ctrl-C in the middle."""

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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--clients", "0"], "--clients: must be numbers from 1 on, not 0"),
        (["--clients", "1,x"], "--clients: must be whole numbers between commas, not '1,x'"),
        (["--events", "1"], "--events: must be at least 2, not 1"),
        (["--mode", "blokcing"], "--mode: there is no mode 'blokcing' (did you mean 'blocking'?)"),
        (["--distance", "12"], "--distance: '12' is no duration"),
        (["--distance", "1ms,2ms"], "--distance: of a study of clients is one"),
        (["--gpus", "2"], "--gpus: no module of job 'small' asks an inference server"),
        (["--device", "v100"], "--device: 'v100' is no emulated device"),
        (["--plot", "scale.gif"], "a picture ends with .png, .pdf or .svg"),
        (["--json", "nowhere/scale.json"], "nowhere/scale.json: cannot be written: there is no such folder"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(call: Any, job: Path, options: list[str], says: str) -> None:
    called = call("scale", "job.py", *options)
    assert called.code
    assert says in called.err
    assert [each.name for each in job.iterdir() if each.name != "__pycache__"] == ["job.py"]


def test_ctrl_c_shows_what_was_finished_and_the_same_command_goes_on(call: Any, job: Path) -> None:
    command = ("scale", "job.py", "--clients", "1,2", "--events", "500", "--json", "scale.json")
    program = "from eventbraid.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", program, *command], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("2 clients" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "interrupted: the same command goes on with what is missing" in said
    first = json.loads((job / "scale.json").read_text())
    assert first["interrupted"]
    assert [point["clients"] for point in first["points"]] == [1]
    called = call(*command)
    assert called.code == 0, called.err
    assert "1 client\n" not in called.err
    whole = json.loads((job / "scale.json").read_text())
    assert whole["points"][0] == first["points"][0]
    assert [point["clients"] for point in whole["points"]] == [1, 2]
