"""Proton collisions at 13 TeV made by Pythia 8: top pairs and soft QCD, in blocks that are made once and kept.

A block of 100 events depends on the seed, the mixture and its number alone, so a longer sample begins with the
shorter one of the same seed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from eventbraid.errors import DataError, need_extra
from eventbraid_modules.hlt.particles import Particles

__all__ = ["BLOCK", "block_file", "cache_folder", "cached_block", "generate"]

BLOCK: Final = 100
"""Events in a block."""
COMMON: Final = ("Beams:eCM = 13000.", "Print:quiet = on", "Random:setSeed = on")
TOP: Final = ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")
SOFT: Final = ("SoftQCD:nonDiffractive = on",)
COLUMNS: Final = {"pt": "f4", "eta": "f4", "phi": "f4", "energy": "f4", "pdg": "i4", "charge": "i1"}


def generate(seed: int, block: int, top_fraction: float, count: int = BLOCK) -> Iterator[Particles]:
    """The visible particles of the events of a block, one event after the other."""
    pythia8 = need_extra("pythia8mc", "physics", "generating collisions")
    draws = np.random.default_rng([seed, block])
    seeds = draws.integers(1, 900_000_000, 2)
    makers: dict[bool, Any] = {}
    for top in draws.random(count) < top_fraction:
        maker = makers.get(bool(top))
        if maker is None:
            maker = makers[bool(top)] = _pythia(pythia8, TOP if top else SOFT, int(seeds[int(top)]))
        while not maker.next():
            continue
        yield _visible(maker.event)


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
    columns = np.array(rows, np.float64).reshape(len(rows), len(COLUMNS)).T
    return Particles(*(column.astype(dtype) for column, dtype in zip(columns, COLUMNS.values(), strict=True)))


def cache_folder() -> Path:
    """Where generated blocks are kept: $EVENTBRAID_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("EVENTBRAID_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventbraid"


def block_file(seed: int, block: int, top_fraction: float) -> Path:
    """The file of a block; its name holds all that the block depends on."""
    pythia8 = need_extra("pythia8mc", "physics", "generating collisions")
    version = getattr(pythia8, "__version__", "8")
    settings = json.dumps([COMMON, TOP, SOFT, BLOCK, str(version), top_fraction])
    key = hashlib.sha256(settings.encode()).hexdigest()[:12]
    return cache_folder() / "collisions" / f"{key}-seed{seed}-block{block}.parquet"


def cached_block(
    seed: int, block: int, top_fraction: float, made: Callable[[], object] = lambda: None
) -> list[Particles]:
    """The events of a block, from its file or made now; `made` is called for each event that is made."""
    file = block_file(seed, block, top_fraction)
    if file.exists():
        try:
            return _read(file)
        except Exception as error:  # noqa: BLE001  # a file that cannot be read is made again
            print(f"{file} cannot be read ({error}); it is made again", file=sys.stderr)  # noqa: T201
    events: list[Particles] = []
    for event in generate(seed, block, top_fraction):
        events.append(event)
        made()
    _write(file, events)
    return events


def _write(file: Path, events: list[Particles]) -> None:
    pyarrow = need_extra("pyarrow", "parquet", "keeping generated collisions")
    parquet = need_extra("pyarrow.parquet", "parquet", "keeping generated collisions")
    columns = {name: [getattr(event, name).tolist() for event in events] for name in COLUMNS}
    types = {"f4": pyarrow.float32(), "i4": pyarrow.int32(), "i1": pyarrow.int8()}
    schema = pyarrow.schema([(name, pyarrow.list_(types[dtype])) for name, dtype in COLUMNS.items()])
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.table(columns, schema), partial)
        partial.replace(file)
    except OSError as error:
        raise DataError(
            f"{file} cannot be written: {error.strerror}; set EVENTBRAID_CACHE to another folder"
        ) from error


def _read(file: Path) -> list[Particles]:
    parquet = need_extra("pyarrow.parquet", "parquet", "keeping generated collisions")
    table = parquet.read_table(file)
    columns: list[list[Any]] = []
    for name, dtype in COLUMNS.items():
        column = table.column(name).combine_chunks()
        values = column.values.to_numpy(zero_copy_only=False).astype(dtype)
        columns.append(np.split(values, column.offsets.to_numpy()[1:-1]))
    if len(columns[0]) != BLOCK:
        raise ValueError(f"{len(columns[0])} events in place of {BLOCK}")
    return [Particles(*event) for event in zip(*columns, strict=True)]
