"""The filter and the graph network, as torch modules for training.

The graph network is an interaction network on hits and doublets (Battaglia et al. 2016, arXiv:1612.00222), as in
Ju et al. 2021 (arXiv:2103.06995, section 3): in each step an edge learns from its two hits, and a hit from the sum
over its edges inwards and outwards, each counted by the score that it has so far.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from eventbraid_modules.tracks.finding.features import EDGE_FEATURES, NODE_FEATURES

__all__ = ["DENSE", "HIDDEN", "STEPS", "filter_network", "graph_network", "sizes"]

HIDDEN: Final = 32
"""Numbers that describe a hit, and an edge, within the graph network."""
STEPS: Final = 3
"""How often hits and edges learn from each other."""
DENSE: Final[dict[str, tuple[int, ...]]] = {
    "filter": (EDGE_FEATURES, 32, 32, 1),
    "node": (NODE_FEATURES, HIDDEN, HIDDEN),
    "edge": (EDGE_FEATURES, HIDDEN, HIDDEN),
    "edge step": (3 * HIDDEN, HIDDEN, HIDDEN),
    "node step": (3 * HIDDEN, HIDDEN, HIDDEN),
    "score": (HIDDEN, HIDDEN, 1),
}
"""Inputs and neurons of the dense layers of each part; those of a hit's step are there `STEPS` times,
those of an edge's step and of its score once more."""


def sizes() -> tuple[int, int]:
    """How many parameters the filter and the graph network have, by the table."""
    count = {name: sum(before * after + after for before, after in pairwise(layers)) for name, layers in DENSE.items()}
    steps = STEPS * count["node step"] + (STEPS + 1) * (count["edge step"] + count["score"])
    return count["filter"], count["node"] + count["edge"] + steps


def _dense(torch: Any, name: str) -> Any:
    layers = DENSE[name]
    made: list[Any] = []
    for before, after in pairwise(layers):
        made += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*made[:-1])


def filter_network(torch: Any) -> Any:
    """From edge features, shape (edges, 8), to logits, shape (edges,)."""
    return torch.nn.Sequential(_dense(torch, "filter"), torch.nn.Flatten(0))


def graph_network(torch: Any) -> Any:
    """From node features (hits, 2), edge features (edges, 8), and the inner and the outer hit of each edge (edges,)
    to logits, shape (edges,); in training also those of the steps before."""

    class GraphNetwork(torch.nn.Module):  # type: ignore[misc]  # torch is Any, since it is imported late
        def __init__(self) -> None:
            super().__init__()
            self.node, self.edge = _dense(torch, "node"), _dense(torch, "edge")
            self.edge_steps = torch.nn.ModuleList(_dense(torch, "edge step") for _ in range(STEPS))
            self.node_steps = torch.nn.ModuleList(_dense(torch, "node step") for _ in range(STEPS))
            self.last = _dense(torch, "edge step")
            self.scores = torch.nn.ModuleList(_dense(torch, "score") for _ in range(STEPS + 1))

        def forward(self, nodes: Any, edges: Any, inner: Any, outer: Any) -> Any:
            hits, pairs = self.node(nodes), self.edge(edges)
            wide_inner, wide_outer = (each[:, None].expand(-1, HIDDEN) for each in (inner, outer))
            logits: list[Any] = []
            for learn_edge, learn_node, score in zip(self.edge_steps, self.node_steps, self.scores[:-1], strict=True):
                pairs = pairs + learn_edge(torch.cat([hits[inner], hits[outer], pairs], dim=1))
                logits.append(score(pairs)[:, 0])
                counted = pairs * torch.sigmoid(logits[-1])[:, None]
                none = torch.zeros_like(hits)
                sums = none.scatter_add(0, wide_outer, counted), none.scatter_add(0, wide_inner, counted)
                hits = hits + learn_node(torch.cat([hits, *sums], dim=1))
            pairs = pairs + self.last(torch.cat([hits[inner], hits[outer], pairs], dim=1))
            logits.append(self.scores[-1](pairs)[:, 0])
            return torch.stack(logits) if self.training else logits[-1]

    return GraphNetwork()
