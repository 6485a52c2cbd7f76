"""Progress: what is shown, how often, and that a terminal is left as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import GOOD
from test_signals import NEVER

from eventbraid import EventID, Job
from eventbraid.plan import make_plan
from eventbraid.services.progress import Progress, progress_line
from eventbraid.sources import EmptySource


def test_a_line_has_events_rate_events_in_flight_and_time_left() -> None:
    assert progress_line(50, 100, 8, 10.0) == "50 of 100 events, 5.0 events/s, 8 in flight, 10 s left"
    assert progress_line(0, None, 3, 0.0) == "0 events, 0.0 events/s, 3 in flight"


def test_without_a_terminal_there_is_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(1000, terminal=False)
    progress.job_begins(make_plan(Job("t", source=EmptySource(events=1), modules={})), "async", 8)
    for number in range(100):
        event, time = EventID(1, 1, number + 1), progress._began + 0.301 * number
        progress.event_begins(event, number, time)
        progress.event_ends(event, number, time, False, True)
    progress.job_ends(30.0)
    assert len(capsys.readouterr().err.splitlines()) == 2


@contextmanager
def on_a_terminal(source: str, folder: Path, **more: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`eventbraid run` with a terminal as standard error, killed when it takes half a minute."""
    (folder / "job.py").write_text(source)
    terminal, its_end = os.openpty()
    command = [str(Path(sys.executable).with_name("eventbraid")), "run", "job.py"]
    settings: Any = {"cwd": folder, "env": {**os.environ, "TERM": "xterm"}, "text": True, **more}
    with subprocess.Popen(command, stderr=its_end, **settings) as process:
        os.close(its_end)
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            yield process, terminal
            process.wait()
        finally:
            watchdog.cancel()
            process.kill()
            os.close(terminal)


def read_until(terminal: int, text: bytes, said: bytes = b"") -> bytes:
    """What the terminal shows, up to and with a text or to the end."""
    while text not in said:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # on Linux the end of a terminal
            break
    return said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_cancelled_job_leaves_the_terminal_its_cursor_and_standard_output_alone(tmp_path: Path) -> None:
    with on_a_terminal(NEVER, tmp_path, stdout=subprocess.PIPE) as (process, terminal):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said = read_until(terminal, b"once more cancels")
        process.send_signal(signal.SIGINT)
        said = read_until(terminal, b"never said", said)
    assert process.returncode == 130
    assert b"\x1b[?25l" in said
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_the_names_of_jobs_are_shown_as_they_are(tmp_path: Path) -> None:
    with on_a_terminal(GOOD.replace('"small"', '"a [/b] {c}"'), tmp_path) as (process, terminal):
        said = read_until(terminal, b"never said")
    assert process.returncode == 0
    assert b"a [/b] {c}" in said
    assert b"disabled" not in said
