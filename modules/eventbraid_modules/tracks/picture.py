"""Measures both track finders and draws what they make: `python -m eventbraid_modules.tracks.picture`.

On events that no network was trained on, without pile-up and with it. Needs the extras `local`, `physics`, `parquet`
and `plots`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid_modules.statistics import efficiency
from eventbraid_modules.tracks.finders import NETWORKS
from eventbraid_modules.tracks.finding import TrackFinder, track_finder
from eventbraid_modules.tracks.matching import PT_MIN, Match, match, momenta
from eventbraid_modules.tracks.performance import Score
from eventbraid_modules.tracks.sample import sample

__all__ = ["Measured", "draw", "main", "measure"]

SEED: Final = 2
PT_EDGES: Final = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 50.0)
"""GeV."""
ETA_EDGES: Final = tuple(np.linspace(-2, 2, 11))
FINDERS: Final = {"gnn": ("graph network", "C0", 0.0), "rule": ("combinatorial", "C1", 0.02)}
"""In the picture: name, colour, and how far points are moved aside."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An event's tracks against its particles, and their own momenta."""

    match: Match
    pt: NDArray[np.float64]
    """Of each track, GeV."""
    eta: NDArray[np.float64]
    """Of each track."""


def measure(find: TrackFinder, pileup: int, events: int, seed: int = SEED) -> list[Measured]:
    """What the finder makes of so many events."""
    found: list[Measured] = []
    for hits, truth in sample(pileup, events, seed):
        label = find(hits.position)
        found.append(Measured(match(label, truth), *momenta(label, hits)))
    return found


def draw(measured: dict[tuple[str, int], list[Measured]], file: Path) -> None:
    """Efficiency, fakes and duplicates against transverse momentum and eta, a row for each occupancy."""
    figure_type: Any = need_extra("matplotlib.figure", "plots", "the picture").Figure
    rows = sorted({pileup for _, pileup in measured})
    figure = figure_type(figsize=(15, 3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 4, squeeze=False)
    for (name, pileup), events in measured.items():
        pt, eta, found, fake, duplicate = (
            np.concatenate([getattr(each.match, what) for each in events])
            for what in ("pt", "eta", "found", "fake", "duplicate")
        )
        track_pt, track_eta = (np.concatenate([getattr(each, what) for each in events]) for what in ("pt", "eta"))
        high = pt > PT_MIN
        row = grid[rows.index(pileup)]
        _points(row[0], name, pt, found, PT_EDGES, "o")
        _points(row[1], name, eta[high], found[high], ETA_EDGES, "o")
        for share, marker, what in ((fake, "o", ", fakes"), (duplicate, "x", ", duplicates")):
            _points(row[2], name, track_pt, share, PT_EDGES, marker, what)
            _points(row[3], name, track_eta, share, ETA_EDGES, marker, what)
        for axes, low, title in zip(
            row, (0.85, 0.985, None, None), ("efficiency",) * 2 + ("share of tracks",) * 2, strict=True
        ):
            axes.set_ylabel(title)
            axes.margins(y=0.05 if low else 0.6)  # room for the legend
            axes.set_ylim(bottom=low)
            axes.set_title(f"{pileup} soft collisions beside", fontsize="medium")
            axes.legend(frameon=False, fontsize="small")
        for axes, text in zip(
            row,
            ("particle's pt, GeV", f"particle's eta (above {PT_MIN} GeV)", "track's pt, GeV", "track's eta"),
            strict=True,
        ):
            axes.set_xlabel(text)
    figure.savefig(file, dpi=90)


def _points(axes: Any, name: str, values: Any, made: Any, edges: Sequence[float], marker: str, what: str = "") -> None:
    share, error = efficiency(values, made > 0, edges)
    title, colour, shift = FINDERS[name]
    middles = (np.array(edges[1:]) + edges[:-1]) / 2
    if edges is PT_EDGES:
        axes.set_xscale("log")
        middles = np.sqrt(np.multiply(edges[1:], edges[:-1])) * (1 + shift)
    axes.errorbar(middles + shift, share, error, fmt=marker, color=colour, label=title + what, markersize=4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of merit of both finders, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200, help="with pile-up; without it five times as many")
    parser.add_argument("--pileup", type=int, nargs="+", default=(0, 20))
    parser.add_argument("--picture", type=Path, default=Path("tracks.png"))
    options = parser.parse_args(arguments)
    need_extra("matplotlib.figure", "plots", "the picture")  # told before minutes of measuring
    measured: dict[tuple[str, int], list[Measured]] = {}
    for pileup in options.pileup:
        for name in FINDERS:
            events = options.events if pileup else 5 * options.events
            found = measured[name, pileup] = measure(track_finder(name, NETWORKS), pileup, events)
            score = Score.of([each.match for each in found])
            shares = f"efficiency {score.efficiency:.2%}, fakes {score.fakes:.2%}, duplicates {score.duplicates:.2%}"
            counts = f"{events} events, {score.particles} particles, {score.tracks} tracks"
            print(f"pile-up {pileup}, {FINDERS[name][0]}: {shares}; {counts}", flush=True)  # noqa: T201
    draw(measured, options.picture)


if __name__ == "__main__":
    main()
