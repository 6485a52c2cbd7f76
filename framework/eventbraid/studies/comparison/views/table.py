"""A comparison in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.views.rows import Rows, point_rows, time_rows
from eventbraid.studies.comparison.views.sentences import bounds, gains, heading, incompleteness, sameness, warnings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["render"]

MOST_DIFFERENCES = 10


def render(comparison: Comparison, console: Console) -> None:
    """Print the tables, the gain, the bounds and whether products agree."""

    def say(line: str, style: str = "") -> None:
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)

    console.print(_table(point_rows(comparison), heading(comparison)))
    console.print(_table(time_rows(comparison), "where the time of an event goes"))
    for line in gains(comparison):
        say(line, "bold")
    for line in bounds(comparison):
        say(line)
    for line in warnings(comparison):
        say(line, "yellow")
    same, sentence = sameness(comparison)
    say(sentence, {True: "green", False: "bold red", None: "yellow"}[same])
    shown = comparison.unrepeated or comparison.differences
    for difference in shown[:MOST_DIFFERENCES]:
        say(f"  {difference}")
    if len(shown) > MOST_DIFFERENCES:
        say(f"  and {len(shown) - MOST_DIFFERENCES} more")
    if line := incompleteness(comparison):
        say(line, "yellow")
    if comparison.picture:
        say(f"picture: {comparison.picture}")


def _table(rows: Rows, title: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title))
    for number, head in enumerate(rows.heads):
        table.add_column(head.replace(" ", "\n", 1) if number else head, justify="right" if number else "left")
    for row in rows.rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else Text("\n".join(cell)) for cell in row))
    return table
