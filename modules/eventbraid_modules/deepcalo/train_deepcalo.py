"""Trains DeepCalo on the simulation and writes the model: `python -m eventbraid_modules.deepcalo.train_deepcalo`.

The network is that of Krupa et al. 2021 (arXiv:2007.10359, section 4.2), see `network`. It finds what the sum of all
pixels is to be multiplied with, as DeepCalo can (Faye 2019, reference 62 there). Needs the extra `training`.
"""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.cache import cache_folder
from eventbraid_modules import training
from eventbraid_modules.deepcalo.calibration import calibrated, layer_sums
from eventbraid_modules.deepcalo.geometry import IMAGE
from eventbraid_modules.deepcalo.network import LAYERS, REPEAT, config
from eventbraid_modules.deepcalo.resolution import figures_of
from eventbraid_modules.deepcalo.sample import Sample, draw_sample

__all__ = ["build", "build_unbatched", "find", "main", "network", "train", "write"]

NAME: Final = "deepcalo"
ELECTRONS: Final = 40_000
EPOCHS: Final = 3
BATCH: Final = 64
RATE: Final = 2e-3
"""Highest learning rate."""
SCALE: Final = 0.02
"""Where the loss goes over from squares to moduli of the relative error."""
SMALL: Final = 0.05
"""GeV. Pixels far below are seen in proportion to their energy, those far above to its root, as their fluctuations are.

Roots and quotients have one right result: a logarithm could differ in its last bit with the size of the batch.
"""


def network(torch: Any) -> Any:
    """The torch module, untrained: images (n, 56, 11, 4), GeV, to energies (n, 1), GeV."""
    nn = torch.nn
    steps: list[Any] = [nn.Upsample(scale_factor=(1, REPEAT))]
    for before, layer in zip((LAYERS[0], *LAYERS), LAYERS, strict=False):
        if layer.block != before.block:
            steps.append(nn.MaxPool2d(2) if layer.kernel else nn.Flatten())
        if layer.kernel:
            steps.append(nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, padding="same", bias=False))
            steps.append(nn.BatchNorm2d(layer.outputs))
        else:
            steps.append(nn.Linear(layer.inputs, layer.outputs))
        steps.append(nn.LeakyReLU())
    layers = nn.Sequential(*steps[:-1])
    nn.init.zeros_(layers[-1].weight)  # it begins as the sum of all cells
    nn.init.zeros_(layers[-1].bias)

    def forward(self: Any, image: Any) -> Any:
        total = image.flatten(1) @ torch.ones((math.prod(IMAGE), 1))  # the same bits wherever the image lies in memory
        scaled = image / torch.sqrt(torch.abs(image) + SMALL)
        return total * (1 + self.layers(scaled.permute(0, 3, 1, 2)))

    model = type("DeepCalo", (nn.Module,), {"forward": forward})()
    model.layers = layers
    return model


def train(sample: Sample, epochs: int = EPOCHS, seed: int = 1) -> Any:
    """The trained torch module: AdamW, Huber's loss of found over true energy, batches of 64, mirrored at random."""
    torch = training.torch(seed)
    model = network(torch).train()
    pixels, energy = torch.from_numpy(sample.pixels), torch.from_numpy(sample.energy)[:, None]
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-3)
    mirrored = np.random.default_rng(seed)

    def loss(chosen: Any) -> Any:
        axes = [axis for axis in (1, 2) if mirrored.random() < 0.5]  # the barrel looks the same in both mirrors
        ratios = model(pixels[chosen].flip(axes)) / energy[chosen]
        return torch.nn.functional.smooth_l1_loss(ratios, torch.ones_like(ratios), beta=SCALE)

    training.fit(optimiser, loss, len(pixels), batch=BATCH, epochs=epochs, rising=0.15)
    return model.eval()


def find(model: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Energies, GeV, shape (n,), of images by a torch module."""
    torch = training.torch(1)
    with torch.no_grad():
        parts = [model(part)[:, 0].numpy() for part in torch.from_numpy(pixels).split(250)]
    found: NDArray[np.float32] = np.concatenate(parts)
    return found


def build(folder: Path, *, electrons: int = ELECTRONS, epochs: int = EPOCHS) -> None:
    """Train and write the model with dynamic batching: the builder "deepcalo" of `eventbraid models build`."""
    write(_trained(electrons, epochs), folder, config(NAME, dynamic=True))


def build_unbatched(folder: Path) -> None:
    """The same network without dynamic batching, "deepcalo_unbatched": a copy of "deepcalo" where that is built."""
    made = (folder.parents[1] / NAME, cache_folder() / "models" / NAME)  # beside the builder's own folder, or cached
    settings = config(f"{NAME}_unbatched", dynamic=False)
    for file in (each / "1" / "model.onnx" for each in made):
        if file.exists():
            (folder / "1").mkdir(parents=True)
            shutil.copyfile(file, folder / "1" / "model.onnx")
            (folder / "config.pbtxt").write_text(settings)
            return
    write(_trained(ELECTRONS, EPOCHS), folder, settings)


def write(model: Any, folder: Path, settings: str) -> None:
    """Write the network as a model: "image" (rows, 56, 11, 4) to "energy" (rows, 1)."""
    example = training.torch(1).zeros((2, *IMAGE))
    training.write(model, folder, {"image": example}, ("energy",), settings)


def _trained(electrons: int, epochs: int) -> Any:
    training.torch(1)  # what is missing is told before a minute of sampling
    return train(draw_sample(electrons, 1), epochs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the model, and compare it with the calibrated sums on electrons that neither has seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--electrons", type=int, default=ELECTRONS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--model", type=Path, default=cache_folder() / "models" / NAME)
    options = parser.parse_args(arguments)
    model = _trained(options.electrons, options.epochs)
    write(model, options.model, config(options.model.name, dynamic=True))
    sample = draw_sample(20_000, 2)
    for name, found in (
        ("DeepCalo", find(model, sample.pixels)),
        ("sums", calibrated(layer_sums(sample.pixels), sample.eta)),
    ):
        for figure, value in figures_of(found, sample.energy).items():
            print(f"{name}: {figure} {value:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
