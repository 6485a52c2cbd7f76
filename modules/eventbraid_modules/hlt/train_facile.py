"""Trains FACILE on the simulation and writes the model: `python -m eventbraid_modules.hlt.train_facile`.

Network, loss, optimiser and batch size are those of Krupa et al. 2021 (arXiv:2007.10359, section 4.1): batch
normalisation of 15 inputs, dense layers of 30, 20, 10, 5 and 3 with ReLU, mean squared error, Adam, batches of 5000,
more than a million channels. Needs the extra `training`.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules import training
from eventbraid_modules.collisions import CollisionSource, Particles
from eventbraid_modules.hlt.digitizer import INPUTS, deposit, digitise, features_of, out_of_time
from eventbraid_modules.hlt.energies import fit_pulses
from eventbraid_modules.hlt.geometry import ETA_MAX, GAIN

__all__ = ["LAYERS", "MODEL", "build", "held_out", "main", "sample", "train", "write"]

Array = NDArray[np.float32]
LAYERS: Final = (30, 20, 10, 5, 3, 1)
"""Neurons of each dense layer, the energy last."""
BATCH: Final = 5000
LOUD_GEV: Final = 0.5
"""Channels with more energy are all kept, GeV."""
QUIET: Final = 2500
"""Channels with less that are kept of each event."""
EXTRA: Final = 100
"""Pions and muons beside each collision of the training sample."""
TRAINING_SEED, HELD_OUT_SEED = 101, 102
"""Of the samples of collisions."""
MODEL: Final = Path(__file__).parents[1] / "models" / "facile"


def sample(events: int, seed: int, extra: int = EXTRA) -> tuple[Array, Array, Array]:
    """Features (n, 15), true energies in GeV (n,) and those of the fit (n,) of so many collisions' channels.

    Beside each collision there are `extra` pions and muons of any energy, which top pairs alone have few of.
    """
    rng = np.random.default_rng(seed)
    parts: list[tuple[Array, Array, Array]] = []
    for particles in _collisions(events, seed):
        beside = out_of_time(particles, rng)
        truth = deposit(particles, rng) + (deposit(_pions(rng, extra), rng) if extra else 0)
        charge = digitise(truth, rng, beside)
        loud, quiet = np.flatnonzero(truth > LOUD_GEV), np.flatnonzero(truth <= LOUD_GEV)
        kept = np.concatenate([loud, rng.choice(quiet, QUIET, replace=False)])
        parts.append((features_of(charge)[kept], truth[kept], fit_pulses(charge, GAIN)[kept]))
    features, truths, fits = (np.concatenate([part[index] for part in parts]) for index in range(3))
    return features, truths, fits


def held_out() -> list[dict[str, Array]]:
    """The network's inputs in 20 collisions that no training saw."""
    return [{"features": sample(20, HELD_OUT_SEED, extra=0)[0]}]


def _collisions(events: int, seed: int) -> Iterator[Particles]:
    entries = itertools.chain.from_iterable(CollisionSource(events=events, seed=seed).partitions())
    return (cast("Particles", entry.products["particles"]) for entry in entries)


def _pions(rng: np.random.Generator, particles: int) -> Particles:
    """Pions and some muons, evenly in eta and in the logarithm of energy from 0.5 to 300 GeV."""
    eta = rng.uniform(-ETA_MAX, ETA_MAX, particles).astype(np.float32)
    energy = np.exp(rng.uniform(np.log(0.5), np.log(300), particles)).astype(np.float32)
    phi = rng.uniform(-np.pi, np.pi, particles).astype(np.float32)
    pdg = np.where(rng.random(particles) < 0.1, 13, 211).astype(np.int32)
    return Particles((energy / np.cosh(eta)).astype(np.float32), eta, phi, energy, pdg, np.ones(particles, np.int8))


def train(features: Array, truth: Array, epochs: int, seed: int = 1) -> Any:
    """The trained torch module."""
    torch = training.torch(seed)
    network = _network(torch)
    x, y = torch.from_numpy(features), torch.from_numpy(truth)[:, None]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)

    def loss(chosen: Any) -> Any:
        return torch.nn.functional.mse_loss(network(x[chosen]), y[chosen])

    training.fit(optimiser, loss, len(x), batch=BATCH, epochs=epochs)
    return network.eval()


def _network(torch: Any) -> Any:
    layers: list[Any] = [torch.nn.BatchNorm1d(INPUTS)]
    for before, after in zip((INPUTS, *LAYERS), LAYERS, strict=False):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def build(folder: Path, *, events: int = 400, epochs: int = 14) -> None:
    """Train and write the model with its configuration: the builder "facile" of `eventbraid models build`."""
    write(_trained(events, epochs), folder)


def write(network: Any, folder: Path) -> None:
    """Write the network as a model: "features" (rows, 15) to "energy" (rows, 1)."""
    example = training.torch(1).zeros((2, INPUTS))
    config = (MODEL / "config.pbtxt").read_text()
    training.write(network, folder, {"features": example}, ("energy",), config)


def _trained(events: int, epochs: int) -> Any:
    training.torch(1)  # what is missing is told before minutes of sampling
    features, truth, _ = sample(events, TRAINING_SEED)
    return train(features, truth, epochs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the model, and compare it with the fit on collisions that it has not seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args(arguments)
    network = _trained(options.events, options.epochs)
    write(network, options.model)
    torch = training.torch(1)
    features, truth, fits = sample(50, HELD_OUT_SEED, extra=0)
    with torch.no_grad():
        energies = network(torch.from_numpy(features))[:, 0].numpy()
    for low, high in ((-1, 0), (0, 1), (1, 10), (10, 100), (100, 1e9), (1, 1e9)):
        kept = (truth > low) & (truth <= high)
        for name, found in (("FACILE", energies), ("fit", fits)):
            miss = (found - truth)[kept]
            text = f"true energy {low} to {high} GeV, {name}: RMS {np.sqrt((miss**2).mean()):.3f} GeV"
            print(f"{text}, bias {miss.mean():+.3f} GeV, {kept.sum()} channels")  # noqa: T201


if __name__ == "__main__":
    main()
