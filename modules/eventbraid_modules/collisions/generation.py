"""Proton collisions at 13 TeV made by Pythia 8: top pairs and QCD, in blocks that are made once and kept.

A block of 100 events depends on the seed, the mixture and its number alone, so a longer sample begins with the
shorter one of the same seed. Pile-up is drawn for each event from 100 soft collisions made for its block.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventbraid.cache import cache_folder
from eventbraid.errors import DataError, need_extra
from eventbraid_modules.collisions.particles import Particles
from eventbraid_modules.collisions.tops import Tops

__all__ = ["BLOCK", "Collision", "Mixture", "block_file", "cached_block", "generate"]

BLOCK: Final = 100
"""Events in a block."""
COMMON: Final = ("Beams:eCM = 13000.", "Print:quiet = on", "Random:setSeed = on")
TOP: Final = ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")
SOFT: Final = ("SoftQCD:nonDiffractive = on",)
HARD: Final = ("HardQCD:all = on",)
W_BOSON, TOP_QUARK = 24, 6
"""Numbers of the Particle Data Group's scheme."""
COLUMNS: Final = {"pt": "f4", "eta": "f4", "phi": "f4", "energy": "f4", "pdg": "i4", "charge": "i1"}
TOP_COLUMNS: Final = {"pt": "f4", "eta": "f4", "phi": "f4"}


@dataclass(frozen=True, slots=True)
class Mixture:
    """What an event is made of: a top pair or QCD, and soft collisions in the same bunch crossing."""

    top_fraction: float = 0.5
    """Share of top pairs."""
    pileup: float = 35.0
    """Mean number of soft collisions beside, Poisson distributed."""
    hard_pt: float = 0.0
    """Least transverse momentum of the two that scatter, GeV; QCD is soft collisions where 0, jets above."""


class Collision(NamedTuple):
    """An event."""

    particles: Particles
    """All that is visible, of the collisions beside too."""
    tops: Tops


def generate(seed: int, block: int, mixture: Mixture, count: int = BLOCK, pool: int = BLOCK) -> Iterator[Collision]:
    """The events of a block, one after the other."""
    pythia8 = need_extra("pythia8mc", "physics", "generating collisions")
    draws = np.random.default_rng([seed, block])
    soft_seed, top_seed = (int(each) for each in draws.integers(1, 900_000_000, 2))
    soft = _collisions(pythia8, SOFT, soft_seed)
    beside = [next(soft).particles for _ in range(pool)] if mixture.pileup else []
    top, qcd = _collisions(pythia8, TOP, top_seed), soft
    if mixture.hard_pt:
        above = (f"PhaseSpace:pTHatMin = {mixture.hard_pt}",)
        top = _collisions(pythia8, (*TOP, *above), top_seed)
        qcd = _collisions(pythia8, (*HARD, *above), int(draws.integers(1, 900_000_000)))
    for is_top in draws.random(count) < mixture.top_fraction:
        others = draws.integers(0, pool, draws.poisson(mixture.pileup)) if beside else ()
        particles, tops = next(top if is_top else qcd)
        yield Collision(_together([particles, *(beside[other] for other in others)]), tops)


def _collisions(pythia8: Any, process: tuple[str, ...], seed: int) -> Iterator[Collision]:
    """Collisions without end; Pythia is started with the first."""
    maker = _pythia(pythia8, process, seed)
    while True:
        if maker.next():
            yield Collision(_visible(maker.event), _tops(maker.event))


def _together(collisions: list[Particles]) -> Particles:
    return Particles(*(np.concatenate([getattr(each, name) for each in collisions]) for name in COLUMNS))


def _pythia(pythia8: Any, process: tuple[str, ...], seed: int) -> Any:
    maker = pythia8.Pythia("", False)
    for setting in (*COMMON, *process, f"Random:seed = {seed}"):
        if not maker.readString(setting):
            raise DataError(f"Pythia does not know the setting {setting!r}")
    if not maker.init():
        raise DataError(f"Pythia could not be started for {process[0]}")
    return maker


def _visible(event: Any) -> Particles:
    rows = [
        (each.pT(), each.eta(), each.phi(), each.e(), each.id(), each.charge())
        for each in event
        if each.isFinal() and each.isVisible()
    ]
    return Particles(*_arrays(rows, COLUMNS))


def _tops(event: Any) -> Tops:
    """The last copies of top quarks, those that decay, whose W boson's last copy decays to quarks."""
    rows: list[tuple[float, ...]] = []
    for each in event:
        if each.idAbs() == TOP_QUARK:
            bosons = [event[number] for number in each.daughterList() if event[number].idAbs() == W_BOSON]
            decays = [event[number] for boson in bosons for number in event[boson.iBotCopyId()].daughterList()]
            if decays and all(decay.isQuark() for decay in decays):
                rows.append((each.pT(), each.eta(), each.phi()))
    return Tops(*_arrays(rows, TOP_COLUMNS))


def _arrays(rows: Sequence[tuple[float, ...]], columns: dict[str, str]) -> list[NDArray[Any]]:
    table = np.array(rows, np.float64).reshape(len(rows), len(columns)).T
    return [column.astype(dtype) for column, dtype in zip(table, columns.values(), strict=True)]


def block_file(seed: int, block: int, mixture: Mixture) -> Path:
    """The file of a block; its name holds all that the block depends on."""
    pythia8 = need_extra("pythia8mc", "physics", "generating collisions")
    version = getattr(pythia8, "__version__", "8")
    settings = json.dumps([COMMON, TOP, SOFT, HARD, _layout(), BLOCK, str(version), astuple(mixture)])
    key = hashlib.sha256(settings.encode()).hexdigest()[:12]
    return cache_folder() / "collisions" / f"{key}-seed{seed}-block{block}.parquet"


def cached_block(seed: int, block: int, mixture: Mixture, made: Callable[[], object] = lambda: None) -> list[Collision]:
    """The events of a block, from its file or made now; `made` is called for each event that is made."""
    file = block_file(seed, block, mixture)
    if file.exists():
        try:
            return _read(file)
        except Exception as error:  # noqa: BLE001  # a file that cannot be read is made again
            print(f"{file} cannot be read ({error}); it is made again", file=sys.stderr)  # noqa: T201
    events: list[Collision] = []
    for event in generate(seed, block, mixture):
        events.append(event)
        made()
    _write(file, events)
    return events


def _layout() -> dict[str, tuple[str, str, str]]:
    """The columns of a file: product, attribute and type by name."""
    found = {name: ("particles", name, dtype) for name, dtype in COLUMNS.items()}
    return found | {f"top_{name}": ("tops", name, dtype) for name, dtype in TOP_COLUMNS.items()}


def _write(file: Path, events: list[Collision]) -> None:
    pyarrow = need_extra("pyarrow", "parquet", "keeping generated collisions")
    parquet = need_extra("pyarrow.parquet", "parquet", "keeping generated collisions")
    types = {"f4": pyarrow.float32(), "i4": pyarrow.int32(), "i1": pyarrow.int8()}
    layout = _layout()
    columns = {
        name: [getattr(getattr(event, product), attribute).tolist() for event in events]
        for name, (product, attribute, _) in layout.items()
    }
    schema = pyarrow.schema([(name, pyarrow.list_(types[dtype])) for name, (_, _, dtype) in layout.items()])
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.table(columns, schema), partial)
        partial.replace(file)
    except OSError as error:
        raise DataError(
            f"{file} cannot be written: {error.strerror}; set EVENTBRAID_CACHE to another folder"
        ) from error


def _read(file: Path) -> list[Collision]:
    parquet = need_extra("pyarrow.parquet", "parquet", "keeping generated collisions")
    table = parquet.read_table(file)
    columns: dict[str, list[Any]] = {}
    for name, (_, _, dtype) in _layout().items():
        column = table.column(name).combine_chunks()
        values = column.values.to_numpy(zero_copy_only=False).astype(dtype)
        columns[name] = np.split(values, column.offsets.to_numpy()[1:-1])
    if table.num_rows != BLOCK:
        raise ValueError(f"{table.num_rows} events in place of {BLOCK}")
    particles = zip(*(columns[name] for name in COLUMNS), strict=True)
    tops = zip(*(columns[f"top_{name}"] for name in TOP_COLUMNS), strict=True)
    return [Collision(Particles(*seen), Tops(*true)) for seen, true in zip(particles, tops, strict=True)]
