"""The whole of it, with few clients and events."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures.__main__ import FIGURES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_run_writes_the_page_and_all_pictures_and_leaves_the_docs_alone(tmp_path: Path) -> None:
    page = (ROOT / "docs/reproduction.md").read_text()
    command = [sys.executable, "-m", "benchmarks.figures", "--quick", "--processes", "1", "--into", str(tmp_path)]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(command, check=False, cwd=ROOT, env=where, capture_output=True, text=True, timeout=550)
    assert run.returncode == 0, run.stderr[-2000:]
    made = sorted(each.name for each in (tmp_path / "reproduction").iterdir())
    assert made == sorted([*(f"{figure.name}.png" for figure in FIGURES), "real.png"])
    written = (tmp_path / "reproduction.md").read_text()
    assert written.splitlines()[0] == page.splitlines()[0]
    assert written.count("\n| ") > 50
    assert (ROOT / "docs/reproduction.md").read_text() == page
