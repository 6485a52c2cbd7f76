"""SIGINT and SIGTERM: the first one drains the job, the second cancels it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import HANGS

SAYS_READY = """
import sys
from eventbraid import Analyzer

class Ready(Analyzer):
    kind = "shared"
    said = False
    async def analyze(self, event):
        if not self.said:
            self.said = True
            print("ready", flush=True)

job.modules["ready"] = Ready()
"""

NEVER = HANGS.replace("await asyncio.sleep(0.001)", "await asyncio.Event().wait()").replace(
    "        return event[self.n]\n", '        print("ready", flush=True)\n        return event[self.n]\n'
)


def start(folder: Path, source: str, *options: str) -> subprocess.Popen[str]:
    (folder / "job.py").write_text(source)
    command = [str(Path(sys.executable).with_name("eventbraid")), "run", "job.py", *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_in_order(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, HANGS + SAYS_READY, "--json", "report.json")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert f"{number.name}: no new events" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["interrupted"]
    assert 0 < report["events"]["read"] < 100_000


def test_a_second_signal_cancels_what_would_never_end(tmp_path: Path) -> None:
    process = start(tmp_path, NEVER)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("once more cancels" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
