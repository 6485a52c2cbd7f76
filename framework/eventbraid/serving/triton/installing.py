"""Makes a Python environment with pip, told step by step; whatever interrupts it, no process is left."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from eventbraid.errors import ServerError
from eventbraid.serving.triton import keeper

__all__ = ["Step", "Tell", "make_environment", "quiet", "steps"]

PIP: Final = "pip>=24.1"
"""The first that tells its progress in plain lines."""
LAST_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class Step:
    """What is done, and for a download how far: bytes, and of how many."""

    what: str
    done: int = 0
    size: int = 0


Tell: TypeAlias = Callable[[Step], None]


def quiet(step: Step) -> None:
    """Tells nobody."""


def make_environment(folder: Path, requirements: Sequence[Sequence[str]], tell: Tell) -> None:
    """Make a virtual environment in an empty folder and install into it, one pip call for each entry.

    Raises `ServerError` with what pip said last.
    """
    tell(Step("making a Python environment"))
    _run([sys.executable, "-m", "venv", str(folder)], folder, tell)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    _run([*pip, PIP], folder, tell)
    for each in requirements:
        _run([*pip, "--progress-bar=raw", *each], folder, tell)


def steps(lines: Iterator[str]) -> Iterator[Step]:
    """What pip is doing, from what it writes with --progress-bar=raw."""
    what = ""
    for line in map(str.strip, lines):
        if (found := re.match(r"(Collecting|Installing collected packages:) (.+)", line)) is not None:
            what = f"{'finding' if found[1] == 'Collecting' else 'installing'} {found[2].partition(' (from ')[0]}"
            yield Step(what)
        elif (found := re.match(r"Downloading (\S+)-(\d[^-\s]*)-\S+\.whl \(", line)) is not None:
            what = f"downloading {found[1].rpartition('/')[2].replace('_', '-')} {found[2]}"
            yield Step(what)
        elif (found := re.match(r"Progress (\d+) of (\d+)$", line)) is not None:
            yield Step(what, int(found[1]), int(found[2]))


def _run(command: list[str], folder: Path, tell: Tell) -> None:
    """Run a command under a keeper, which ends it, and removes the folder, where this process ends before."""
    log = folder / "pip.log"
    keep = [sys.executable, "-I", keeper.__file__, f"--folder={folder}", f"--log={log}", "--echo", "--", *command]
    pipe = subprocess.PIPE
    # A session of its own: Ctrl-C in the terminal is for this process.
    process = subprocess.Popen(keep, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    try:
        for step in steps(_kept(process.stderr, said)):
            tell(step)
        ended = [json.loads(line).get("ended") for line in process.stdout]
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()  # where it has not ended, it ends the command
        process.wait()
        process.stdout.close()
        process.stderr.close()
        log.unlink(missing_ok=True)
    if ended[-1:] != [0]:
        text = "\n".join(said[-LAST_LINES:])
        raise ServerError(f"Triton's environment could not be made: {' '.join(command)}\n{text}")


def _kept(lines: Iterator[str], said: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("Progress "):
            said.append(line.rstrip())
        yield line
