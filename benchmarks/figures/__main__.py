"""Makes the figures of two papers again, and the tables of docs/reproduction.md, from nothing.

The exit code is 1 where a number is further from the published one than is wanted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from benchmarks.figures import real, rows, samples
from benchmarks.figures.deepcalo import DEEPCALO
from benchmarks.figures.facile import FACILE
from benchmarks.figures.page import fill, markdown
from benchmarks.figures.protodune import PROTODUNE
from benchmarks.figures.real import Measured
from benchmarks.figures.replaced import table_2
from benchmarks.figures.resnet50 import RESNET50
from benchmarks.figures.rows import Row, missed
from benchmarks.figures.setups import SETUPS
from benchmarks.figures.simulating import simulate_all, work_of
from benchmarks.figures.trigger import TRIGGER

WHAT: Final = "Makes the figures of two papers again, and the tables of docs/reproduction.md."
ROOT: Final = Path(__file__).parents[2]
PAGE: Final = "reproduction.md"
WIDTH: Final = 140
"""Of the table where the output is no terminal."""
FIGURES: Final = (PROTODUNE, TRIGGER, FACILE, DEEPCALO, RESNET50)


class Table(NamedTuple):
    """A table of the page, by the name of its place."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def simulated(quick: bool, processes: int, pictures: Path, progress: Progress) -> tuple[list[Row], list[Table]]:
    """Simulate and draw the figures; gives what is claimed and what was obtained."""
    task = progress.add_task("simulating", total=work_of(FIGURES, quick))
    found = simulate_all(
        FIGURES,
        quick=quick,
        processes=processes,
        told=lambda name, requests, result: progress.update(
            task, advance=requests, description=f"{name}, {result.clients} clients"
        ),
    )
    for figure in FIGURES:
        save(figure.draw(found[figure.name]), figure.title, pictures / f"{figure.name}.png")
    judged = [row for figure in FIGURES for row in figure.rows(found[figure.name])] + table_2(found)
    return judged, [
        Table("published", rows.HEADS, [each.cells() for each in judged]),
        Table("samples", samples.HEADS, samples.samples(FIGURES, found)),
    ]


def measured(quick: bool, pictures: Path, progress: Progress) -> Table:
    """Measure with real processes, one setup after the other, and draw that."""
    setups = [SETUPS[-1].quick()] if quick else SETUPS
    task = progress.add_task("real processes", total=len(setups))
    found: list[Measured] = []
    for setup in setups:
        progress.update(task, description=f"{setup.figure}, {setup.what}, real processes")
        found.append(real.measure(setup))
        progress.advance(task)
    save(real.draw(found), "real processes, at a smaller scale", pictures / "real.png")
    return Table("real", real.HEADS, real.table(found))


def save(drawn: Any, title: str, file: Path) -> None:
    """Write a picture with its title."""
    drawn.suptitle(title, fontsize=11)
    drawn.savefig(file, dpi=110)


def show(table: Table, console: Console) -> None:
    """Print it."""
    shown = RichTable(*table.heads)
    for row in table.rows:
        shown.add_row(*row, style="red" if "MISSED" in row else None)
    console.print(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=WHAT)
    parser.add_argument("--quick", action="store_true", help="few clients and events: the way only, nothing is judged")
    parser.add_argument("--only", choices=("simulated", "real"), help="leave the other half as it is")
    parser.add_argument("--into", type=Path, help="where page and pictures go: docs, or build/figures with --quick")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="simulations at once")
    options = parser.parse_args()
    into: Path = options.into or ROOT / ("build/figures" if options.quick else "docs")
    pictures = into / Path(PAGE).stem
    pictures.mkdir(parents=True, exist_ok=True)
    console, began = Console(width=None if sys.stdout.isatty() else WIDTH), perf_counter()
    bar = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    judged: list[Row] = []
    tables: list[Table] = []
    with Progress(TextColumn("{task.description}"), *bar, console=console) as progress:
        if options.only != "real":
            judged, tables = simulated(options.quick, options.processes, pictures, progress)
        if options.only != "simulated":
            tables.append(measured(options.quick, pictures, progress))
    page = (ROOT / "docs" / PAGE).read_text()
    for table in tables:
        page = fill(page, table.name, markdown(table.heads, table.rows))
    (into / PAGE).write_text(page)
    for table in tables:
        show(table, console)
    console.print(f"{into / PAGE} and its pictures in {(perf_counter() - began) / 60:.1f} minutes")
    return 1 if missed(judged) and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
