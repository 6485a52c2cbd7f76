"""`eventbraid serve` in a process of its own, with the processes below it, and what they leave behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

# A test run that nohup started ignores SIGHUP, and so would what it starts.
PROGRAM = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from eventbraid.cli import main; main()"
SECONDS = 60.0


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ends(watch: int) -> bool:
    """True when a process whose pidfd this is has ended in good time."""
    ended, _, _ = select.select([watch], [], [], SECONDS)
    os.close(watch)
    return bool(ended)


class Command:
    """`eventbraid` with arguments; its standard error is read line by line."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.said: list[str] = []

    def says(self, text: str) -> str:
        """Read until a line has that text."""
        with self._limit():
            for line in self._lines():
                if text in line:
                    return line
        raise AssertionError("".join(self.said))

    def _lines(self) -> Iterator[str]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            yield line

    @contextmanager
    def _limit(self) -> Iterator[None]:
        """Kill it where it takes longer than any should."""
        limit = Timer(SECONDS, self.process.kill)
        limit.start()
        try:
            yield
        finally:
            limit.cancel()

    @property
    def keeper(self) -> int:
        """The process that keeps what it started."""
        (pid,) = children(self.process.pid)
        return pid

    def below(self) -> list[int]:
        """pidfds of all processes below it."""
        found, left = [], [self.process.pid]
        while left:
            below = children(left.pop())
            found += [os.pidfd_open(pid) for pid in below]
            left += below
        return found

    @property
    def folder(self) -> Path:
        """Where its keeper has the files of what it keeps."""
        words = Path(f"/proc/{self.keeper}/cmdline").read_text().split("\0")
        (folder,) = (word.removeprefix("--folder=") for word in words if word.startswith("--folder="))
        return Path(folder)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Its exit code; what it says at its end is in `said`."""
        with self._limit():
            list(self._lines())
            return self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
