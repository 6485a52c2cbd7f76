"""Compares shipped networks with those trained anew: `python -m eventbraid_modules.shipped DIR`.

DIR is a repository in which these were built (`make models`). Both answer the same held-out inputs in onnxruntime on
one thread. Training gives the same weights on the same kind of machine; elsewhere sums are rounded in another order,
and what becomes of that in thousands of steps is bounded by the tolerance of each network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import ConfigurationError, EventbraidError, Fault
from eventbraid_modules import training
from eventbraid_modules.hlt import train_facile
from eventbraid_modules.toptag import train_toptag
from eventbraid_modules.tracks import train_tracks
from eventbraid_modules.tracks.finders import NETWORKS
from eventbraid_modules.tracks.finding.graph_network import FILTER_FILE, GRAPH_FILE

__all__ = ["SHIPPED", "Agreement", "Network", "compare", "distance", "main"]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """A network in the package, and how to see whether another one is as good as the same."""

    built: str
    """Its file in a repository of built models."""
    shipped: Path
    inputs: Callable[[], Sequence[training.Inputs]]
    """Makes what both are asked, of events that no training saw."""
    tolerance: float
    """The largest root mean square of the differences, in the unit of the answers."""
    unit: str = ""
    """Of the answers; those without one are logits, and compared as probabilities."""


SHIPPED: Final = (
    Network("facile/1/model.onnx", train_facile.MODEL / "1" / "model.onnx", train_facile.held_out, 0.05, "GeV"),
    Network("toptag/1/model.onnx", train_toptag.MODEL / "1" / "model.onnx", train_toptag.held_out, 0.1, "of a score"),
    Network(f"tracks_gnn/1/{FILTER_FILE}", NETWORKS / FILTER_FILE, train_tracks.filter_inputs, 0.03),
    Network(f"tracks_gnn/1/{GRAPH_FILE}", NETWORKS / GRAPH_FILE, train_tracks.graph_inputs, 0.03),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two networks are from each other."""

    answers: int
    """Compared numbers."""
    rms: float
    """Root mean square of their differences."""
    most: float
    """The largest difference; 0 where all answers are the same to the last bit."""


def distance(first: Array, second: Array) -> tuple[float, float]:
    """Root mean square and largest modulus of the differences; infinite where one is no finite number.

    Raises `ConfigurationError` for numbers of answers that are not equal.
    """
    if len(first) != len(second):
        what = f"gives {len(second)} answers, the shipped one {len(first)}: they are different networks"
        raise ConfigurationError(what, "the trained network")
    apart = np.abs(first.astype(np.float64) - second)
    apart[~np.isfinite(apart)] = np.inf
    return float(np.sqrt(np.mean(apart**2))), float(apart.max())


def compare(network: Network, folder: Path) -> Agreement:
    """The network in the package beside the one in a repository; raises `ConfigurationError` where it is not there."""
    built = folder / network.built
    if not built.is_file():
        raise ConfigurationError([Fault(str(built), "is not there", "`make models` trains it")], "shipped networks")
    inputs = network.inputs()
    both = [training.answers(file, inputs) for file in (network.shipped, built)]
    return Agreement(len(both[0]), *distance(*(both if network.unit else map(_probability, both))))


def _probability(logits: Array) -> Array:
    return np.exp(-np.logaddexp(0, -logits)).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all; 0 where every network agrees with the shipped one, 1 where one does not, 2 where one is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    agreed = True
    for network in SHIPPED:
        try:
            found = compare(network, options.folder)
        except EventbraidError as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201
            return error.exit_code
        within = found.rms <= network.tolerance
        agreed = agreed and within
        says = ("agrees" if found.most else "the same to the last bit") if within else "DIFFERS"
        unit = network.unit or "of a probability"
        print(  # noqa: T201
            f"{network.built}: {says}; RMS difference {found.rms:.3g} {unit}, at most {found.most:.3g}, "
            f"tolerance {network.tolerance:g}, {found.answers} answers"
        )
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
