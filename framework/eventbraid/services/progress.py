"""How far a job is: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any

from eventbraid.event import EventID
from eventbraid.plan import Plan
from eventbraid.services.listener import Listener

__all__ = ["Progress", "progress_line"]

BAR_SECONDS, LINE_SECONDS = 0.1, 10.0


def progress_line(done: int, total: int | None, in_flight: int, seconds: float) -> str:
    """One line: events, events/s, in flight, time left where the total is known."""
    rate = done / seconds if seconds > 0 else 0.0
    of = f" of {total}" if total is not None else ""
    left = f", {(total - done) / rate:.0f} s left" if total is not None and rate > 0 else ""
    return f"{done}{of} events, {rate:.1f} events/s, {in_flight} in flight{left}"


class Progress(Listener, AbstractContextManager["Progress"]):
    """Shows progress on standard error; `total` is how many events there will be, if that is known.

    As a context it also takes the bar away where the job ends by an error and never says `job_ends`.
    """

    def __init__(self, total: int | None = None, *, terminal: bool | None = None) -> None:
        self._total = total
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._bar: Any = None
        self._task: Any = None
        self._began = self._next = 0.0
        self._read = self._done = 0

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        self._began = perf_counter()
        self._next = self._began + (BAR_SECONDS if self._terminal else LINE_SECONDS)
        if self._terminal:
            from rich.console import Console
            from rich.markup import escape
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            name = escape(plan.name).replace("{", "{{").replace("}", "}}")
            columns = (TextColumn(f"[bold]{name}[/bold] {mode}"), BarColumn(), TextColumn("{task.fields[line]}"))
            self._bar = Bar(
                *columns,
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
                # What modules print goes around the bar on the same terminal; a file or a pipe gets it as it is.
                redirect_stdout=sys.stdout.isatty(),
            )
            self._task = self._bar.add_task("", total=self._total, line="")
            self._bar.start()

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self._read += 1

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self._done += 1
        if time >= self._next:
            self._show(time)
            self._next = time + (BAR_SECONDS if self._terminal else LINE_SECONDS)

    def job_ends(self, seconds: float) -> None:
        if self._bar is not None:
            self._show(perf_counter())
        self.close()

    def close(self) -> None:
        """Take the bar away; again is harmless."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _show(self, time: float) -> None:
        line = progress_line(self._done, self._total, self._read - self._done, time - self._began)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, line=line)
            self._bar.refresh()
        else:
            print(line, file=sys.stderr, flush=True)  # noqa: T201
