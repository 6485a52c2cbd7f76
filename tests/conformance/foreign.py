"""Programs that we did not write, each in an environment of its own in the cache folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from eventbraid import ServerError
from eventbraid.serving.triton.installing import make_environment, quiet


def environment(*requirements: str) -> Path:
    """The folder of an environment with these packages, made the first time; skips where they cannot be installed."""
    cache = Path(os.environ.get("EVENTBRAID_CACHE") or Path.home() / ".cache/eventbraid")
    name = "-".join(each.replace("==", "-").partition("[")[0] for each in requirements)
    folder = cache / f"tests-{name}-python{sys.version_info.major}.{sys.version_info.minor}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make_environment(folder, [["--prefer-binary", *requirements]], quiet)
            except ServerError as error:
                shutil.rmtree(folder, ignore_errors=True)
                pytest.skip(f"{name} cannot be installed here: {str(error).splitlines()[-1]}")
            (folder / "complete").touch()
    return folder


@contextmanager
def running(command: Sequence[str | Path], folder: Path, log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """A program while it runs, from when it is ready."""
    with log.open("wb") as out:
        process = subprocess.Popen([*map(str, command)], cwd=folder, stdout=out, stderr=out)
        try:
            while not ready():
                if process.poll() is not None:
                    raise AssertionError(f"{command[0]} has ended\n{log.read_text()}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
