"""What the commands show: the summary of a job, its status, errors. All on standard error."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventbraid.errors import ConfigurationError, EventbraidError, ModuleError
from eventbraid.report import Report

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "show_error", "show_inference", "show_status", "show_summary", "show_where", "users_line"]


PATH_STATES = ("pass", "fail", "exception", "not_run")
FRAMEWORK, LIBRARY = Path(__file__).parents[1], Path(sysconfig.get_path("stdlib"))


def console(*, markup: bool = False, stderr: bool = True) -> Console:
    """Standard error; 120 columns where it is no terminal. Names and types of users are never taken for markup."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=True, markup=markup, emoji=False)
    if not made.is_terminal:
        made.width = 120
    return made


def show_error(error: EventbraidError) -> None:
    """The error, what is known beside it, and the line of the user's code that raised."""
    out = console()
    if isinstance(error, ConfigurationError) and len(error.faults) > 1:
        out.print(f"error: {error.subject} has {len(error.faults)} faults", style="bold red")
        for fault in error.faults:
            out.print(f"  - {fault}")
    else:
        out.print(f"error: {error}", style="bold red")
    for note in getattr(error, "__notes__", ()):
        out.print(f"  {note}")
    if isinstance(error, ModuleError) and (line := users_line(error)):
        out.print(f"  at {line}")


def users_line(error: BaseException) -> str:
    """ "file:line in function: code" where the user's code raised, or called what raised; empty for none.

    The error's own cause comes first, then what that came from. Installed modules count where nothing else is there.
    """
    for wanted in (_is_users, _is_foreign):
        for cause in _causes(error):
            for frame in reversed(traceback.extract_tb(cause.__traceback__)):
                if wanted(Path(frame.filename)):
                    return f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_foreign(file: Path) -> bool:
    return not file.is_relative_to(FRAMEWORK) and not _is_python(file)


def _is_users(file: Path) -> bool:
    return _is_foreign(file) and not {"site-packages", "dist-packages"} & {*file.parts}


def _is_python(file: Path) -> bool:
    installed = {"site-packages", "dist-packages"} & {*file.parts}
    return str(file).startswith("<frozen ") or (file.is_relative_to(LIBRARY) and not installed)


def show_summary(report: Report, told: EventbraidError | None = None) -> None:
    """Events, paths, modules, times, failures but the one that is told anyway."""
    out, events = console(), report.events
    out.print(
        f"{report.job} ({report.mode}, {report.streams} in flight): {events.read} events read, {events.passed} passed, "
        f"{events.failed} failed, {events.not_selected} not selected" + (", interrupted" if report.interrupted else ""),
        style="bold",
    )
    if report.paths:
        out.print(_paths(report))
    if report.modules:
        out.print(_modules(report))
    show_inference(report.inference)
    if report.figures:
        out.print(_figures(report))
    out.print(f"{report.seconds:.3f} s, {report.events_per_second:.1f} events/s, efficiency {report.efficiency:.2f}")
    for failure in report.failures[:10]:
        if failure.error is not told:
            out.print(f"failed: {failure.error}", style="red")
    if report.errors > 10:
        out.print(f"and {report.errors - 10} more errors", style="red")


def _paths(report: Report) -> Table:
    from rich.table import Table

    table = Table("path", *(_right(state.replace("_", " ")) for state in PATH_STATES), title_justify="left")
    for name, counts in report.paths.items():
        table.add_row(name, *(str(counts[state.replace("_", " ")]) for state in PATH_STATES))
    return table


def _modules(report: Report) -> Table:
    from rich.table import Table

    heads = ("calls", "mean ms", "max ms", "external mean ms", "external max ms")
    table = Table("module", *(_right(name) for name in heads))
    for label, times in report.modules.items():
        away = times.external_seconds
        external = (_ms(away / max(times.calls, 1)), _ms(times.external_max_seconds)) if away else ("", "")
        table.add_row(label, str(times.calls), _ms(times.mean_seconds), _ms(times.max_seconds), *external)
    return table


def _figures(report: Report) -> Table:
    from rich.table import Table

    table = Table("module", "figure", _right("value"))
    for label, figures in report.figures.items():
        for name, value in figures.items():
            table.add_row(label, name, f"{value:.4g}" if isinstance(value, float) else str(value))
    return table


def show_inference(inference: Mapping[str, Any]) -> None:
    """What was asked of models and servers, and where its time went."""
    from rich.table import Table

    out = console()
    if inference.get("models"):
        heads = ("requests", "p50 ms", "p99 ms", "waits ms", "network", "queue", "compute", "MB/s")
        table = Table("model", _whole("server"), *(_right(name) for name in heads))
        for each in inference["models"]:
            latency, parts = each["latency"], each["split"]
            table.add_row(
                each["model"],
                each["server"],
                str(each["requests"]),
                *(_ms(latency[name]) for name in ("p50", "p99")),
                *("" if parts[name] is None else _ms(parts[name]) for name in parts),
                f"{each['bytes_per_second'] / 1e6:.1f}",
            )
        out.print(table)
    for each in inference.get("models", ()):
        for kind, count in each["failures"].items():
            out.print(f"{each['server']}, model {each['model']!r}: {_times(count)} {kind}", style="yellow")
        if each["shared"]:
            out.print(f"{each['server']}, model {each['model']!r}: others used it too, so its times are not ours alone")
    for each in inference.get("fallback", ()):
        out.print(f"model {each['model']!r}: {each['requests']} requests fell back: {each['reason']}", style="yellow")
    stalls = inference.get("loop_stalls", {})
    if stalls.get("count"):
        longest = _ms(stalls["longest_seconds"])
        out.print(f"the event loop stood still {_times(stalls['count'])} for more than 50 ms, {longest} ms at most")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def show_status(status: Mapping[str, Any]) -> None:
    """What a running job says of itself."""
    out, events = console(), status["events"]
    stopping = f": {status['stopping']}" if status["stopping"] else ""
    out.print(
        f"{status['job']} ({status['mode']}, {status['streams']} in flight at most), {status['state']}{stopping}",
        style="bold",
    )
    out.print(
        f"{events['read']} events read, {events['in_flight']} in flight, {events['passed']} passed, "
        f"{events['failed']} failed, {events['not_selected']} not selected; {events['per_second']:.1f} events/s "
        f"over {status['seconds']:.1f} s, {events['recent_per_second']:.1f} of late"
    )
    for path in status["paths"]:
        counts = ", ".join(f"{path[state]} {state.replace('_', ' ')}" for state in PATH_STATES)
        out.print(f"  path {path['name']}: {counts}")
    for module in status["modules"]:
        away = f", {module['external_seconds']:.3f} s external" if module["external_seconds"] else ""
        now = f", {module['waiting']} events there now" if module["waiting"] else ""
        out.print(
            f"  module {module['label']}: {module['calls']} calls, {module['cpu_seconds']:.3f} s of CPU{away}{now}"
        )


def show_where(where: Mapping[str, Any]) -> None:
    """What the events in flight wait for."""
    out, left = console(), where["total"] - len(where["events"])
    if not where["total"]:
        out.print("no event waits")
    for each in where["events"]:
        server = f" at {each['server']}" if each["server"] else ""
        out.print(
            f"event {each['event']} (number {each['number']}): {each['label']}, {each['step']}{server}, "
            f"for {each['seconds']:.3f} s"
        )
    if left:
        out.print(f"and {left} more")


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right")


def _whole(name: str) -> Any:
    from rich.table import Column

    return Column(name, no_wrap=True, overflow="fold")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"
