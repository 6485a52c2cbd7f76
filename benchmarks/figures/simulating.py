"""Simulates all points of all figures, some processes at a time, and says how far it is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from benchmarks.figures.figure import Figure
from benchmarks.figures.sweep import Curve, requests_of
from eventbraid.studies.simulation import Result, simulate

__all__ = ["simulate_all", "work_of"]


def work_of(figures: Sequence[Figure], quick: bool) -> int:
    """Requests of all of it."""
    return sum(
        requests_of(each) for figure in figures for sweep in figure.sweeps.values() for each in sweep.studies(quick)
    )


def simulate_all(
    figures: Sequence[Figure], *, quick: bool, processes: int, told: Callable[[str, int, Result], object]
) -> dict[str, dict[str, Curve]]:
    """The curves of each figure; `told` of each point: whose, how many requests, the result.

    What takes longest goes first.
    """
    points = [
        (figure.name, name, place, study)
        for figure in figures
        for name, sweep in figure.sweeps.items()
        for place, study in enumerate(sweep.studies(quick))
    ]
    points.sort(key=lambda each: -requests_of(each[3]))
    found: dict[tuple[str, str, int], Result] = {}
    # not forked: the process that asks has threads, which show how far it is
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        futures: dict[Future[Result], tuple[str, str, int, int]] = {
            pool.submit(simulate, study): (figure, name, place, requests_of(study))
            for figure, name, place, study in points
        }
        for future in as_completed(futures):
            figure, name, place, requests = futures[future]
            found[figure, name, place] = future.result()
            told(f"{figure}, {name}", requests, future.result())
    return {
        figure.name: {
            name: Curve(tuple(found[key] for key in sorted(found) if key[:2] == (figure.name, name)))
            for name in figure.sweeps
        }
        for figure in figures
    }
