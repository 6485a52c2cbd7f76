"""Trains the filter and the graph network on the simulation: `python -m eventbraid_modules.tracks.train_tracks`.

After Ju et al. 2021 (arXiv:2103.06995, section 3): binary cross entropy on the pairs of hits that follow each other on
a particle, in events of both occupancies. Needs the extras `training`, `physics` and `parquet`.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid_modules import training
from eventbraid_modules.tracks.finders import NETWORKS
from eventbraid_modules.tracks.finding.detector import checked
from eventbraid_modules.tracks.finding.doublets import Cylinders, doublets
from eventbraid_modules.tracks.finding.features import edge_features, node_features
from eventbraid_modules.tracks.finding.graph_network import FILTER_CUT, FILTER_FILE, GRAPH_FILE
from eventbraid_modules.tracks.hits import Hits, HitTruth
from eventbraid_modules.tracks.networks import filter_network, graph_network
from eventbraid_modules.tracks.sample import sample

__all__ = ["Graph", "export_both", "graph_of", "main", "neighbours", "together", "train_filter", "train_graph"]

SEED: Final = 2103_06995
HELD_OUT: Final = SEED + 1
"""The seed of the events that `filter_inputs` and `graph_inputs` are of."""
PILEUP: Final = (0, 20)
"""Both occupancies that are trained for."""
EDGES: Final = 16_384
"""In a batch of the filter."""
TOGETHER: Final = 4
"""Events without pile-up in a batch of the graph network; those with it are alone."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The doublets of some events, and which are true."""

    nodes: NDArray[np.float32]
    edges: NDArray[np.float32]
    inner: NDArray[np.int64]
    outer: NDArray[np.int64]
    true: NDArray[np.float32]

    def kept(self, mask: NDArray[np.bool_]) -> Graph:
        """The same with the edges of the mask alone."""
        return Graph(self.nodes, *(each[mask] for each in (self.edges, self.inner, self.outer, self.true)))  # type: ignore[arg-type]


def together(events: Sequence[Graph]) -> Graph:
    """Several events as one graph that is not connected."""
    offsets = np.cumsum([0, *(len(each.nodes) for each in events[:-1])])
    return Graph(
        np.concatenate([each.nodes for each in events]),
        np.concatenate([each.edges for each in events]),
        np.concatenate([each.inner + offset for each, offset in zip(events, offsets, strict=True)]),
        np.concatenate([each.outer + offset for each, offset in zip(events, offsets, strict=True)]),
        np.concatenate([each.true for each in events]),
    )


def neighbours(truth: HitTruth, layer: NDArray[np.intp]) -> NDArray[np.int64]:
    """For each hit the next one outwards of the same particle, -1 where there is none."""
    order = np.lexsort((layer, truth.particle))
    same = (truth.particle[order][1:] == truth.particle[order][:-1]) & (truth.particle[order][1:] >= 0)
    following = np.full(len(layer), -1)
    following[order[:-1][same]] = order[1:][same]
    return following


def graph_of(hits: Hits, truth: HitTruth) -> Graph:
    """The graph of an event, of which the pairs are true that follow each other on a particle."""
    layer = checked(hits.position)
    cylinders = Cylinders.of(hits.position, layer)
    pairs = doublets(cylinders)
    true = (neighbours(truth, layer)[pairs.inner] == pairs.outer).astype(np.float32)
    nodes, edges = node_features(cylinders), edge_features(pairs, layer)
    return Graph(nodes, edges, pairs.inner.astype(np.int64), pairs.outer.astype(np.int64), true)


def filter_inputs() -> list[dict[str, NDArray[Any]]]:
    """The filter's inputs in ten events of either occupancy that no training saw."""
    return [{"edges": each.edges} for each in _held_out()]


def graph_inputs() -> list[dict[str, NDArray[Any]]]:
    """The graph network's inputs in the same events, of the edges that pass the shipped filter."""
    graphs = _held_out()
    logits = (training.answers(NETWORKS / FILTER_FILE, [{"edges": each.edges}]) for each in graphs)
    passed = [each.kept(1 / (1 + np.exp(-logit)) > FILTER_CUT) for each, logit in zip(graphs, logits, strict=True)]
    return [{name: getattr(each, name) for name in ("nodes", "edges", "inner", "outer")} for each in passed]


def _held_out() -> list[Graph]:
    return [graph_of(*event) for pileup in PILEUP for event in sample(pileup, 10, HELD_OUT)]


def train_filter(events: Sequence[Graph], epochs: int) -> Any:
    """The trained filter."""
    torch = training.torch(SEED)
    network = filter_network(torch)
    x = torch.from_numpy(np.concatenate([each.edges for each in events]))
    y = torch.from_numpy(np.concatenate([each.true for each in events]))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)

    def loss(chosen: Any) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(network(x[chosen]), y[chosen])

    training.fit(optimiser, loss, len(x), batch=EDGES, epochs=epochs)
    return network.eval()


def filtered(network: Any, events: Sequence[Graph]) -> list[Graph]:
    """The graphs with the edges that pass the filter."""
    torch = training.torch(SEED)
    with torch.no_grad():
        scores = [torch.sigmoid(network(torch.from_numpy(each.edges))).numpy() for each in events]
    return [each.kept(score > FILTER_CUT) for each, score in zip(events, scores, strict=True)]


def train_graph(events: Sequence[Graph], epochs: int) -> Any:
    """The trained graph network; each step's scores count, the last ones most."""
    torch = training.torch(SEED)
    network = graph_network(torch)
    order = np.random.default_rng(SEED)
    optimiser = torch.optim.Adam(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * len(events))
    for epoch in range(epochs):
        total = 0.0
        for number in order.permutation(len(events)):
            graph = events[number]
            optimiser.zero_grad()
            inputs = (torch.from_numpy(each) for each in (graph.nodes, graph.edges, graph.inner, graph.outer))
            logits = network(*inputs)
            target = torch.from_numpy(graph.true).expand_as(logits)
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
            (losses[-1] + 0.2 * losses[:-1].mean()).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(losses[-1].detach())
        print(f"epoch {epoch + 1} of {epochs}: {total / len(events):.5f}", flush=True)  # noqa: T201
    return network.eval()


def export(network: Any, file: Path, inputs: dict[str, tuple[Any, str]]) -> None:
    """Write a network for graphs of any size: `inputs` are examples with the name of their first dimension."""
    torch = need_extra("torch", "training", "writing a network")
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter that needs no further library
        torch.onnx.export(
            network.eval(),
            tuple(example for example, _ in inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=["logit"],
            dynamic_axes={name: {0: size} for name, (_, size) in inputs.items()} | {"logit": {0: "edges"}},
            opset_version=training.OPSET,
            dynamo=False,
        )


def export_both(first: Any, second: Any, folder: Path) -> None:
    """Write the filter and the graph network into a folder."""
    torch = training.torch(SEED)
    nodes, edges, ends = torch.zeros(3, 2), torch.zeros(4, 8), torch.tensor([0, 1, 0, 1])
    export(first, folder / FILTER_FILE, {"edges": (edges, "edges")})
    inputs = {"nodes": (nodes, "nodes"), "edges": (edges, "edges"), "inner": (ends, "edges"), "outer": (ends, "edges")}
    export(second, folder / GRAPH_FILE, inputs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write both networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--folder", type=Path, default=NETWORKS)
    options = parser.parse_args(arguments)
    began = monotonic()
    training.torch(SEED)  # what is missing is told before minutes of sampling
    quiet, busy = ([graph_of(*event) for event in sample(pileup, options.events, SEED)] for pileup in PILEUP)
    first = train_filter([*quiet, *busy], 2)
    quiet, busy = filtered(first, quiet), filtered(first, busy)
    batches = [together(quiet[start : start + TOGETHER]) for start in range(0, len(quiet), TOGETHER)] + busy
    second = train_graph(batches, options.epochs)
    export_both(first, second, options.folder)
    print(f"{options.folder} took {monotonic() - began:.0f} s, {process_time():.0f} s of CPU time")  # noqa: T201


if __name__ == "__main__":
    main()
