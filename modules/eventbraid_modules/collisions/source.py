"""Collisions as a source of events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

from eventbraid import EventID, Output, Parameter
from eventbraid.sources import Entry, Source
from eventbraid_modules.collisions.generation import BLOCK, Mixture, block_file, cached_block
from eventbraid_modules.collisions.particles import Particles
from eventbraid_modules.collisions.tops import Tops

__all__ = ["CollisionSource"]


class CollisionSource(Source):
    """Proton collisions at 13 TeV: top pairs and QCD, made by Pythia 8 at first use and kept as Parquet.

    Events are numbered from 1 in run 1, lumi 1. A sample begins with every shorter one of the same seed.
    """

    particles = Output[Particles]()
    tops = Output[Tops]()
    events = Parameter(200, ge=0, doc="how many events")
    seed = Parameter(1, ge=0, doc="of the whole sample")
    top_fraction = Parameter(0.5, ge=0, le=1, doc="share of top pairs")
    pileup = Parameter(35.0, ge=0, le=200, doc="mean number of soft collisions beside")
    hard_pt = Parameter(0.0, ge=0, le=3000, doc="least pt of what scatters, GeV; 0: QCD events are soft collisions")

    def count(self) -> int:
        return self.events

    def partitions(self) -> Iterator[Iterable[Entry]]:
        blocks = range(-(-self.events // BLOCK))
        mixture = Mixture(self.top_fraction, self.pileup, self.hard_pt)
        missing = [block for block in blocks if not block_file(self.seed, block, mixture).exists()]
        with _progress(len(missing) * BLOCK) as made:
            for block in missing:
                cached_block(self.seed, block, mixture, made)
        for block in blocks:
            first = block * BLOCK
            found = cached_block(self.seed, block, mixture)[: self.events - first]
            yield [
                Entry(EventID(1, 1, number), collision._asdict())
                for number, collision in enumerate(found, start=first + 1)
            ]


@contextmanager
def _progress(total: int) -> Generator[Callable[[], object]]:
    """A bar on a terminal, one line elsewhere, nothing where nothing is made."""
    if not total:
        yield lambda: None
        return
    if not sys.stderr.isatty():
        print(f"generating {total} collisions with Pythia 8, once", file=sys.stderr, flush=True)  # noqa: T201
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("generating collisions with Pythia 8, once", total=total)
        yield lambda: bar.advance(task)
