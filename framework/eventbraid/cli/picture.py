"""What `eventbraid top` shows of a job, as one picture of a given size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.table import Table

__all__ = ["WHERE_ROWS", "picture"]

WHERE_ROWS: Final = 5
"""Of the oldest events in flight, so many are shown."""
NARROW: Final = 70
"""Columns below which tables leave out what matters less."""
LEAST_ROWS: Final = 3
"""A table that does not fit keeps so many rows."""
NAMES: Final = frozenset(("path", "module", "in", "server"))
"""Columns that become narrower where there is no room."""
TEXTS: Final = NAMES | {"oldest event", "step"}
"""Columns of text; others have numbers."""

Fields: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table to be."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def only(self, *columns: str) -> Rows:
        """Some of the columns."""
        kept = [self.columns.index(name) for name in columns]
        return Rows(columns, [tuple(row[place] for place in kept) for row in self.rows])

    def cut(self, most: int) -> Rows:
        """At most so many rows, where the last one says how many more there are."""
        if len(self.rows) <= most:
            return self
        shown = self.rows[: most - 1]
        more = (f"and {len(self.rows) - len(shown)} more", *[""] * (len(self.columns) - 1))
        return Rows(self.columns, [*shown, more])


def picture(status: Fields, where: Sequence[Fields], *, width: int = 120, height: int | None = None) -> RenderableType:
    """The job, its paths, its modules by CPU time, and what its oldest events in flight wait for.

    With `height` long tables are cut so that all of them have a place in so many lines.
    """
    from rich.console import Group
    from rich.text import Text

    head = [wrap(line, width) for line in _header(status)]
    narrow = width < NARROW
    paths, modules = _paths(status["paths"], narrow), _modules(status["modules"], narrow)
    waits = _waits(where[:WHERE_ROWS], narrow)
    if height is not None:
        tables = [table for table in (paths, modules, waits) if table.rows]
        left = height - sum(map(len, head)) - 2 * len(tables) - len(waits.rows)
        paths = paths.cut(max(LEAST_ROWS, left // 2 if modules.rows else left))
        modules = modules.cut(max(LEAST_ROWS, left - len(paths.rows)))
    parts: list[RenderableType] = [Text("\n".join(lines), style="" if at else "bold") for at, lines in enumerate(head)]
    for table in (paths, modules, waits):
        if table.rows:
            parts += [Text(""), _table(table)]
    return Group(*parts)


def _header(status: Fields) -> tuple[str, str, str]:
    events = status["events"]
    stopping = f": {status['stopping']}" if status["stopping"] else ""
    counts = ", ".join(f"{events[name]} {name}" for name in ("read", "passed", "failed"))
    rates = f"{events['recent_per_second']:.1f} events/s of late, {events['per_second']:.1f} over all"
    return (
        f"{status['job']} ({status['mode']}, {status['streams']} in flight at most), {status['state']}{stopping}",
        f"{counts}, {events['in_flight']} in flight",
        f"{rates} {status['seconds']:.1f} s",
    )


def _paths(paths: Sequence[Fields], narrow: bool) -> Rows:
    columns = ("path", "pass", "fail", "exception", "not run")
    keys = ("name", "pass", "fail", "exception", "not_run")
    made = Rows(columns, [tuple(str(path[key]) for key in keys) for path in paths])
    return made.only(*columns[:4]) if narrow else made


def _modules(modules: Sequence[Fields], narrow: bool) -> Rows:
    columns = ("module", "calls", "CPU s", "share", "external s", "waiting")
    total = sum(module["cpu_seconds"] for module in modules)
    rows = [
        (
            module["label"],
            str(module["calls"]),
            f"{module['cpu_seconds']:.3f}",
            f"{100 * module['cpu_seconds'] / total:.0f}%" if total else "",
            f"{module['external_seconds']:.3f}" if module["external_seconds"] else "",
            str(module["waiting"]) if module["waiting"] else "",
        )
        for module in sorted(modules, key=lambda module: -module["cpu_seconds"])
    ]
    made = Rows(columns, rows)
    return made.only("module", "CPU s", "share", "waiting") if narrow else made


def _waits(where: Sequence[Fields], narrow: bool) -> Rows:
    columns = ("oldest event", "in", "step", "server", "for s")
    rows = [(each["event"], each["label"], each["step"], each["server"], f"{each['seconds']:.1f}") for each in where]
    made = Rows(columns, rows)
    return made.only("oldest event", "in", "for s") if narrow else made


def _table(rows: Rows) -> Table:
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for name in rows.columns:
        justify: JustifyMethod = "left" if name in TEXTS else "right"
        made.add_column(name, justify=justify, no_wrap=name not in NAMES, overflow="ellipsis")
    for row in rows.rows:
        made.add_row(*map(Text, row))
    return made
