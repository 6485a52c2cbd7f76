"""Tracks by a graph network, after Ju et al. 2021 (arXiv:2103.06995, section 3).

Graph construction, a filter, a graph network that gives each edge a score, and connected components of the best.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .components import chains, components, numbered
from .detector import checked
from .doublets import Cylinders, doublets
from .features import EDGE_FEATURES, NODE_FEATURES, edge_features, node_features

__all__ = ["EDGE_CUT", "FILTER_CUT", "FILTER_FILE", "GRAPH_FILE", "GraphFinder"]

FILTER_FILE: Final = "filter.onnx"
GRAPH_FILE: Final = "graph.onnx"
FILTER_CUT: Final = 0.004
"""Edges with less from the filter are left out of the graph."""
EDGE_CUT: Final = 0.3
"""Edges with less from the graph network connect nothing."""


class GraphFinder:
    """Finds tracks with both networks of a folder, which onnxruntime executes in one thread.

    Raises `ValueError` for networks that take or give something else.
    """

    def __init__(self, folder: Path) -> None:
        self._filter = _session(folder / FILTER_FILE, {"edges": [EDGE_FEATURES]})
        inputs = {"nodes": [NODE_FEATURES], "edges": [EDGE_FEATURES], "inner": [], "outer": []}
        self._graph = _session(folder / GRAPH_FILE, inputs)

    def __call__(self, position: NDArray[np.float32]) -> NDArray[np.int64]:
        """See `TrackFinder`."""
        layer = checked(position)
        hits = Cylinders.of(position, layer)
        pairs = doublets(hits)
        if not len(pairs):
            return np.full(len(position), -1, np.int64)
        edges = edge_features(pairs, layer)
        passed = np.flatnonzero(_score(self._filter, edges=edges) > FILTER_CUT)
        pairs, edges = pairs[passed], edges[passed]
        if not len(pairs):
            return np.full(len(position), -1, np.int64)
        inner, outer = pairs.inner.astype(np.int64), pairs.outer.astype(np.int64)
        score = _score(self._graph, nodes=node_features(hits), edges=edges, inner=inner, outer=outer)
        good = np.flatnonzero(score > EDGE_CUT)
        good = good[chains(inner[good], outer[good], score[good])]
        return numbered(components(len(position), inner[good], outer[good]))


def _session(file: Path, inputs: dict[str, list[int]]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one order of all sums
    options.log_severity_level = 4
    session: Any = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    found = {each.name: list(each.shape[1:]) for each in session.get_inputs()}
    if found != inputs:
        raise ValueError(f"{file} takes {found} for each row, in place of {inputs}")
    if (outputs := [each.name for each in session.get_outputs()]) != ["logit"]:
        raise ValueError(f"{file} gives {outputs} in place of ['logit']")
    return session


def _score(session: Any, **inputs: NDArray[Any]) -> NDArray[np.float32]:
    (logit,) = session.run(["logit"], inputs)
    score: NDArray[np.float32] = 1 / (1 + np.exp(-logit))
    return score
