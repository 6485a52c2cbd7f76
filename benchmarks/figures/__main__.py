"""Makes the figures of two papers again, and the tables of docs/reproduction.md, from nothing.

The exit code is 1 where a number is further from the published one than is wanted.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.figures import rows, samples
from benchmarks.figures.deepcalo import DEEPCALO
from benchmarks.figures.facile import FACILE
from benchmarks.figures.page import fill, markdown
from benchmarks.figures.protodune import PROTODUNE
from benchmarks.figures.replaced import table_2
from benchmarks.figures.resnet50 import RESNET50
from benchmarks.figures.rows import Row, missed
from benchmarks.figures.simulating import simulate_all, work_of
from benchmarks.figures.sweep import Curve
from benchmarks.figures.trigger import TRIGGER
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = "reproduction.md"
WIDTH: Final = 140
"""Of the table where the output is no terminal."""
FIGURES: Final = (PROTODUNE, TRIGGER, FACILE, DEEPCALO, RESNET50)


def simulated(quick: bool, processes: int, console: Console) -> dict[str, dict[str, Curve]]:
    """All curves, while a bar shows how far they are."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("simulating", total=work_of(FIGURES, quick))
        return simulate_all(
            FIGURES,
            quick=quick,
            processes=processes,
            told=lambda name, requests, result: progress.update(
                task, advance=requests, description=f"{name}, {result.clients} clients"
            ),
        )


def show(found: list[Row], console: Console) -> None:
    """The table of the claims."""
    table = Table(*rows.HEADS)
    for row in found:
        table.add_row(*row.cells(), style="red" if row.held is False else None)
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few clients and events: the way only, nothing is judged")
    parser.add_argument("--into", type=Path, help="where page and pictures go: docs, or build/figures with --quick")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="simulations at once")
    options = parser.parse_args()
    into: Path = options.into or ROOT / ("build/figures" if options.quick else "docs")
    pictures = into / Path(PAGE).stem
    pictures.mkdir(parents=True, exist_ok=True)
    console, began = Console(width=None if sys.stdout.isatty() else WIDTH), perf_counter()
    found = simulated(options.quick, options.processes, console)
    judged = [row for figure in FIGURES for row in figure.rows(found[figure.name])] + table_2(found)
    for figure in FIGURES:
        drawn = figure.draw(found[figure.name])
        drawn.suptitle(figure.title, fontsize=11)
        drawn.savefig(pictures / f"{figure.name}.png", dpi=110)
    page = (ROOT / "docs" / PAGE).read_text()
    page = fill(page, "published", markdown(rows.HEADS, [each.cells() for each in judged]))
    page = fill(page, "samples", markdown(samples.HEADS, samples.samples(FIGURES, found)))
    (into / PAGE).write_text(page)
    show(judged, console)
    console.print(f"{into / PAGE} and {len(FIGURES)} pictures in {(perf_counter() - began) / 60:.1f} minutes")
    return 1 if missed(judged) and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
