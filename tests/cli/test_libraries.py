"""A job's numerical libraries have one thread, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import GOOD

from eventbraid.cli.libraries import one_thread_each

PROGRAM = "from eventbraid.cli import main; main()"
THREADS = """
import os, sys, threading, numpy
numpy.ones((400, 400)) @ numpy.ones((400, 400))
print("threads", len(os.listdir("/proc/self/task")), threading.active_count(), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ({}, {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}),
        ({"OPENBLAS_NUM_THREADS": "4"}, {"OPENBLAS_NUM_THREADS": "4", "MKL_NUM_THREADS": "1"}),
        ({"OMP_NUM_THREADS": "4"}, {"OMP_NUM_THREADS": "4"}),
    ],
)
def test_libraries_have_one_thread_where_the_user_says_nothing(said: dict[str, str], becomes: dict[str, str]) -> None:
    environment = dict(said)
    one_thread_each(environment)
    assert environment == becomes


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core a library has one thread anyway")
def test_a_job_multiplies_matrices_without_more_threads(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(THREADS + GOOD)
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", PROGRAM, "run", "job.py"]
    found = [
        subprocess.run(command, cwd=tmp_path, env=each, capture_output=True, text=True, check=True).stderr
        for each in (clean, {**clean, "OPENBLAS_NUM_THREADS": "2"})
    ]
    one, two = (next(line.split() for line in each.splitlines() if line.startswith("threads")) for each in found)
    assert int(two[1]) == int(one[1]) + 1
    assert two[2] == one[2]
