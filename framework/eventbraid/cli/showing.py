"""What the commands show: the summary of a job, its status, errors. All on standard error."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eventbraid.errors import ConfigurationError, EventbraidError, ModuleError
from eventbraid.report import Report

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "show_error", "show_status", "show_summary", "users_line"]


def console() -> Console:
    """Standard error; plain where it is no terminal."""
    from rich.console import Console

    made = Console(stderr=True, highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(stderr=True, highlight=False, soft_wrap=True, width=120)


def show_error(error: EventbraidError) -> None:
    """The error, what is known beside it, and the line of the user's code that raised."""
    out = console()
    if isinstance(error, ConfigurationError) and len(error.faults) > 1:
        out.print(f"error: {error.subject} has {len(error.faults)} faults", style="bold red", markup=False)
        for fault in error.faults:
            out.print(f"  - {fault}", markup=False)
    else:
        out.print(f"error: {error}", style="bold red", markup=False)
    for note in getattr(error, "__notes__", ()):
        out.print(f"  {note}", markup=False)
    if isinstance(error, ModuleError) and (line := users_line(error)):
        out.print(f"  at {line}", markup=False)


def users_line(error: BaseException) -> str:
    """ "file:line in function" of the innermost frame outside eventbraid and its libraries; empty for none."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    for frame in reversed(traceback.extract_tb(cause.__traceback__)):
        if (
            "site-packages" not in frame.filename
            and "/eventbraid/" not in frame.filename
            and "/lib/python" not in frame.filename
        ):
            return f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
    return ""


def show_summary(report: Report) -> None:
    """Events, paths, modules, times."""
    from rich.table import Table

    out, events = console(), report.events
    out.print(
        f"{report.job} ({report.mode}, {report.streams} in flight): {events.read} events read, {events.passed} passed, "
        f"{events.failed} failed, {events.not_selected} not selected" + (", interrupted" if report.interrupted else ""),
        style="bold",
        markup=False,
    )
    if report.paths:
        table = Table(
            "path", *(_right(name) for name in ("pass", "fail", "exception", "not run")), title_justify="left"
        )
        for name, counts in report.paths.items():
            table.add_row(name, *(str(counts[state]) for state in ("pass", "fail", "exception", "not run")))
        out.print(table)
    if report.modules:
        heads = ("calls", "mean ms", "max ms", "external mean ms", "external max ms")
        table = Table("module", *(_right(name) for name in heads))
        for label, times in report.modules.items():
            away = times.external_seconds
            external = (_ms(away / max(times.calls, 1)), _ms(times.external_max_seconds)) if away else ("", "")
            table.add_row(label, str(times.calls), _ms(times.mean_seconds), _ms(times.max_seconds), *external)
        out.print(table)
    out.print(f"{report.seconds:.3f} s, {report.events_per_second:.1f} events/s, efficiency {report.efficiency:.2f}")
    for failure in report.failures[:10]:
        out.print(f"failed: {failure.error}", style="red", markup=False)
    if report.errors > 10:
        out.print(f"and {report.errors - 10} more errors", style="red")


def show_status(status: Mapping[str, Any]) -> None:
    """What a running job says of itself."""
    out, events = console(), status["events"]
    stopping = f", stopping: {status['stopping']}" if status["stopping"] else ""
    out.print(
        f"{status['job']} ({status['mode']}, {status['streams']} in flight at most){stopping}",
        style="bold",
        markup=False,
    )
    out.print(
        f"{events['read']} events read, {events['in_flight']} in flight, {events['passed']} passed, "
        f"{events['failed']} failed, {events['not_selected']} not selected; {events['per_second']:.1f} events/s "
        f"over {status['seconds']:.1f} s"
    )
    for path in status["paths"]:
        out.print(f"  path {path['name']}: {path['pass']} pass, {path['fail']} fail, {path['exception']} exception")
    for module in status["modules"]:
        away = f", {module['external_seconds']:.3f} s external" if module["external_seconds"] else ""
        out.print(f"  module {module['label']}: {module['calls']} calls, {module['cpu_seconds']:.3f} s of CPU{away}")


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"
