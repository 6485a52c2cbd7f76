"""Shows how Triton's environment is made: a bar in a terminal, else a line for each step."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from eventbraid.cli.showing import console
from eventbraid.serving.triton.installing import Step

__all__ = ["Installing"]


class Installing(AbstractContextManager["Installing"]):
    """Give its `tell` to who installs; nothing is shown where nothing is told."""

    def __init__(self) -> None:
        self._console = console()
        columns = TextColumn("Triton's environment: {task.description}"), BarColumn(), DownloadColumn()
        self._bar = Progress(*columns, TransferSpeedColumn(), console=self._console, transient=True)
        self._task = self._bar.add_task("", total=None)
        self._what = ""

    def tell(self, step: Step) -> None:
        """Show a step; a download with its bytes."""
        new, self._what = step.what != self._what, step.what
        if not self._console.is_terminal:
            if new:
                self._console.print(f"Triton's environment: {step.what}")
            return
        self._bar.start()
        size = step.size or None  # without one the bar runs from side to side
        if new:
            self._bar.reset(self._task, total=size, description=step.what)
        self._bar.update(self._task, completed=step.done, total=size)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar.live.is_started:  # it would end a line that it never began
            self._bar.stop()
