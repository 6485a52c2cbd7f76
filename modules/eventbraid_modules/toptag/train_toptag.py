"""Trains the small residual network on jets and writes the model: `python -m eventbraid_modules.toptag.train_toptag`.

The network is `TOPTAG` of `network`. Needs the extra `training`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules import training
from eventbraid_modules.toptag.model import he_weights, write
from eventbraid_modules.toptag.network import TOPTAG, Layer, Network, logit
from eventbraid_modules.toptag.performance import figures_of
from eventbraid_modules.toptag.sample import Sample, draw_jets, draw_sample
from eventbraid_modules.toptag.shape import shape_scores, shapes

__all__ = ["MODEL", "build", "find", "held_out", "main", "module", "train", "weights"]

EVENTS: Final = 10_000
EPOCHS: Final = 8
BATCH: Final = 64
RATE: Final = 4e-3
"""Highest learning rate."""
TRAINING_SEED, HELD_OUT_SEED = 201, 202
"""Of the samples of collisions."""
HELD_OUT: Final = 4_000
"""Events that network and rule are compared on."""
MODEL: Final = Path(__file__).parents[1] / "models" / TOPTAG.name


class _Torch:
    """The `Operations` on torch tensors, with the weights of a module by the names of layers."""

    def __init__(self, torch: Any, layers: Any) -> None:
        self._torch, self._layers = torch, layers

    def convolve(self, x: Any, layer: Layer) -> Any:
        return self._layers[layer.name.replace(".", "_")](x)

    weigh = convolve

    def rectify(self, x: Any) -> Any:
        return self._torch.relu(x)

    def pool(self, x: Any) -> Any:
        return self._torch.nn.functional.max_pool2d(x, 3, 2, 1)

    def add(self, x: Any, y: Any) -> Any:
        return x + y

    def average(self, x: Any) -> Any:
        return x.mean((2, 3))


def module(torch: Any, network: Network) -> Any:
    """The torch module, untrained: images (n, 3, size, size) to logits (n, 1)."""
    nn, layers = torch.nn, {}
    start = he_weights(network)
    for layer in network.layers:
        if layer.kernel:
            inner = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.kernel // 2, bias=False)
            made = nn.Sequential(inner, nn.BatchNorm2d(layer.outputs))
            made[1].weight.data.copy_(torch.from_numpy(start[f"{layer.name}.scale"]))
        else:
            made = inner = nn.Linear(layer.inputs, layer.outputs)
            nn.init.zeros_(inner.bias)
        inner.weight.data.copy_(torch.from_numpy(start[f"{layer.name}.weight"]))
        layers[layer.name.replace(".", "_")] = made

    def forward(self: Any, image: Any) -> Any:
        return logit(network, image, _Torch(torch, self.layers))

    model = type("Residual", (nn.Module,), {"forward": forward})()
    model.layers = nn.ModuleDict(layers)
    return model


def weights(model: Any, network: Network) -> dict[str, NDArray[np.float32]]:
    """The weights of a torch module by the names that ONNX has them by."""
    found: dict[str, Any] = {}
    for layer in network.layers:
        made, name = model.layers[layer.name.replace(".", "_")], layer.name
        if layer.kernel:
            convolution, norm = made
            found |= {f"{name}.weight": convolution.weight, f"{name}.scale": norm.weight, f"{name}.shift": norm.bias}
            found |= {f"{name}.mean": norm.running_mean, f"{name}.variance": norm.running_var}
        else:
            found |= {f"{name}.weight": made.weight, f"{name}.shift": made.bias}
    return {name: tensor.detach().numpy().copy() for name, tensor in found.items()}


def train(sample: Sample, epochs: int = EPOCHS, seed: int = 1) -> Any:
    """The trained torch module: AdamW, cross-entropy, batches of 64, images mirrored at random, one thread."""
    torch = training.torch(seed)
    model = module(torch, TOPTAG).train()
    pixels, top = torch.from_numpy(sample.pixels), torch.from_numpy(sample.top.astype(np.float32))[:, None]
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    mirrored = np.random.default_rng(seed)

    def loss(chosen: Any) -> Any:
        axes = [axis for axis in (2, 3) if mirrored.random() < 0.5]
        found = model(pixels[chosen].flip(axes))
        return torch.nn.functional.binary_cross_entropy_with_logits(found, top[chosen])

    training.fit(optimiser, loss, len(pixels), batch=min(BATCH, len(pixels)), epochs=epochs, rising=0.2)
    return model.eval()


def held_out() -> list[training.Inputs]:
    """The network's inputs in 100 collisions that no training saw."""
    return [{"image": draw_sample(100, HELD_OUT_SEED, TOPTAG.image).pixels}]


def find(model: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores, shape (n,), of images by a torch module."""
    torch = training.torch(1)
    with torch.no_grad():
        parts = [torch.sigmoid(model(part))[:, 0].numpy() for part in torch.from_numpy(pixels).split(250)]
    found: NDArray[np.float32] = np.concatenate(parts)
    return found


def build(folder: Path, *, events: int = EVENTS, epochs: int = EPOCHS) -> None:
    """Train and write the model: the builder "toptag" of `eventbraid models build`."""
    write(TOPTAG, weights(_trained(events, epochs), TOPTAG), folder)


def _trained(events: int, epochs: int) -> Any:
    training.torch(1)  # what is missing is told before minutes of sampling
    return train(draw_sample(events, TRAINING_SEED, TOPTAG.image), epochs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the model, and compare it with the rule on jets that neither has seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args(arguments)
    model = _trained(options.events, options.epochs)
    write(TOPTAG, weights(model, TOPTAG), options.model)
    unseen = draw_sample(HELD_OUT, HELD_OUT_SEED, TOPTAG.image)
    rule = np.concatenate([shape_scores(*shapes(jets)) for jets, _ in draw_jets(HELD_OUT, HELD_OUT_SEED)])
    for name, found in (("residual network", find(model, unseen.pixels)), ("mass and N-subjettiness", rule)):
        for figure, value in figures_of(found, unseen.top).items():
            print(f"{name}: {figure} {value:.4g}" if isinstance(value, float) else f"{name}: {figure} {value}")  # noqa: T201


if __name__ == "__main__":
    main()
