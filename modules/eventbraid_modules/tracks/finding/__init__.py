"""Finding tracks among hits, with NumPy and onnxruntime alone.

Nothing here imports eventbraid: a served model has a copy of this folder beside it, and so it finds, in whatever
environment its server has, the same tracks as in the process of a job.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .combinatorial import CombinatorialFinder
from .graph_network import GraphFinder

__all__ = ["CombinatorialFinder", "GraphFinder", "TrackFinder", "track_finder"]


class TrackFinder(Protocol):
    """Any way to find tracks."""

    def __call__(self, position: NDArray[np.float32]) -> NDArray[np.int64]:
        """The track of each hit, from 0, and -1 for those of none, shape (hits,).

        `position` is x, y, z in cm, shape (hits, 3). Raises `ValueError` that names the hits which are not finite or
        on no layer.
        """
        ...


def track_finder(name: str, folder: Path) -> TrackFinder:
    """The finder of that name: "gnn", with the networks of the folder, or "rule"."""
    if name == "gnn":
        return GraphFinder(folder)
    if name == "rule":
        return CombinatorialFinder()
    raise ValueError(f"there is no track finder {name!r}: there is 'gnn' and 'rule'")
