"""The jobs of the examples, as a user has them: file, model, and what an emulated GPU takes for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventbraid.serving.emulation import parse_device

EXAMPLES = Path(__file__).parents[3] / "examples"
PROGRAM = "from eventbraid.cli import main; main()"
SECONDS = 400.0


@dataclass(frozen=True)
class Workflow:
    """A job of the examples."""

    name: str
    file: Path
    model: str
    device: str
    products: str
    """What its runs have in common, as a comparison says it."""

    def gpu_seconds(self, report: Any) -> float:
        """Of the emulated GPU for an event of a run, from its report."""
        service = parse_device(self.device).service(self.model)
        (asked,) = report["inference"]["models"]
        events = report["events"]["read"]
        return (asked["requests"] * service.t0 + asked["rows"] * service.per_row) / events


WORKFLOWS = (
    Workflow("hlt", EXAMPLES / "hlt.py", "facile", "emulated:v100", "products of hlt.parquet, path results"),
    Workflow(
        "protodune", EXAMPLES / "protodune.py", "emtrackmichelid", "emulated:t4,answers=zeros",
        "products of protodune.parquet",
    ),
    Workflow(
        "top pairs", EXAMPLES / "tutorial/top.py", "top", "emulated:top.t0=5ms,top.per_row=1ms", "path results"
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Called:
    """What a command that ended well said and wrote."""

    said: str
    folder: Path

    def json(self, name: str) -> Any:
        """What it wrote to that file."""
        return json.loads((self.folder / name).read_text())

    def rows(self) -> list[list[str]]:
        """The cells of its tables' rows that begin with a word or a number."""
        lines = [line for line in self.said.splitlines() if line.startswith("│")]
        cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
        return [row for row in cells if row[0]]


def call(folder: Path, *arguments: str | Path, **environment: str) -> Called:
    """`eventbraid` with these arguments, in a process of its own in that folder; it must end well."""
    given = {name: value for name, value in os.environ.items() if name != "EVENTBRAID_SERVERS"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=folder,
        env={**given, "COLUMNS": "200", **environment},
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return Called(done.stderr, folder)
