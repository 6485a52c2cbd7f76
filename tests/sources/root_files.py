"""ROOT files that tests write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from eventbraid.event import EventID
from eventbraid.sources import RootSource


def write_tree(path: Path, columns: Mapping[str, Any], *, tree: str = "events", baskets: int = 1) -> Path:
    """A file with one TTree of columns of one length, each in so many baskets; lists make jagged branches."""
    arrays = {name: ak.Array(values) if isinstance(values, list) else values for name, values in columns.items()}
    types = {
        name: (array.dtype, array.shape[1:]) if isinstance(array, np.ndarray) else str(ak.type(array).content)
        for name, array in arrays.items()
    }
    with uproot.recreate(path) as file:
        made = file.mktree(tree, types)
        for part in np.array_split(np.arange(len(next(iter(arrays.values())))), baskets):
            made.extend({name: array[part] for name, array in arrays.items()})
    return path


def jagged(lists: Sequence[Sequence[float]], dtype: str = "float32") -> Any:
    """Lists of numbers, of a type that does not depend on what is in them."""
    content = np.array([each for some in lists for each in some], dtype)
    return ak.unflatten(content, np.array([len(some) for some in lists], np.int64))


def write_jets(path: Path, events: int = 50) -> Path:
    """Jets as in NanoAOD, from none to four an event."""
    counts = np.arange(events) % 5
    rng = np.random.default_rng(1)

    def column(low: float, high: float) -> Any:
        return ak.unflatten(rng.uniform(low, high, int(counts.sum())).astype(np.float32), counts)

    columns = {
        "Jet_pt": column(10, 60), "Jet_eta": column(-3, 3), "Jet_phi": column(-3, 3), "Jet_mass": column(1, 9),
        "run": np.ones(events, np.uint32), "luminosityBlock": np.arange(events, dtype=np.uint32) // 20 + 1,
        "event": np.arange(events, dtype=np.uint64) + 2**63,
    }  # fmt: skip
    return write_tree(path, columns, tree="Events")


def entries_of(source: RootSource) -> list[tuple[EventID, dict[str, Any]]]:
    """All events of a source that has no fault."""
    source.check()
    return [(entry.id, dict(entry.products)) for partition in source.partitions() for entry in partition]


def products_of(source: RootSource, name: str) -> list[Any]:
    """One product of all events, arrays as lists."""
    return [plain(products[name]) for _, products in entries_of(source)]


def plain(value: Any) -> Any:
    """A product without NumPy."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, np.ndarray)):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
