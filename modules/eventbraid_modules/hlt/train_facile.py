"""Trains FACILE on simulated channels and writes it as ONNX: `python -m eventbraid_modules.hlt.train_facile`.

After Krupa et al. 2021 (arXiv:2007.10359), section 4.1: 15 inputs, batch normalisation, dense layers of 30, 20,
10, 5 and 3 neurons with ReLU, mean squared error, batches of 5000, Adam, more than a million channels, some held
out. Needs torch, which nothing else in this project does.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid_modules.hlt.digitizer import INPUTS, deposit, digitise, features_of
from eventbraid_modules.hlt.energies import fit_template
from eventbraid_modules.hlt.generation import BLOCK, cached_block
from eventbraid_modules.hlt.geometry import CHANNELS, GAIN

__all__ = ["LAYERS", "main", "sample", "write_onnx"]

LAYERS: Final = (30, 20, 10, 5, 3, 1)
"""Neurons of the dense layers; the last one is the energy."""
SEED: Final = 20210
BATCH: Final = 5_000

Floats = NDArray[np.float32]


def sample(blocks: range, quiet_share: float) -> tuple[Floats, Floats, Floats]:
    """Features (n, 15), true energies (n,) in GeV, and template fits (n,) of channels of some blocks of collisions.

    All channels with energy are kept, and of the others a share.
    """
    parts: list[tuple[Floats, Floats, Floats]] = []
    for block in blocks:
        for number, particles in enumerate(cached_block(SEED, block, 0.5)):
            rng = np.random.default_rng([SEED, block, number])
            energy = deposit(particles, rng)
            charge = digitise(energy, rng)
            kept = (energy > 0) | (rng.random(CHANNELS) < quiet_share)
            parts.append((features_of(charge)[kept], energy[kept], fit_template(charge, GAIN)[kept]))
    features, energies, fits = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return features, energies, fits


def train(torch: Any, features: Floats, energies: Floats, epochs: int) -> Any:
    """The trained network: a batch normalisation and the dense layers."""
    torch.manual_seed(SEED)
    layers: list[Any] = [torch.nn.BatchNorm1d(INPUTS)]
    for size, (before, after) in enumerate(zip((INPUTS, *LAYERS), LAYERS, strict=False)):
        layers.append(torch.nn.Linear(before, after))
        if size < len(LAYERS) - 1:
            layers.append(torch.nn.ReLU())
    network = torch.nn.Sequential(*layers)
    x, y = torch.from_numpy(features), torch.from_numpy(energies)[:, None]
    steps = epochs * (len(x) // BATCH)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    for epoch in range(epochs):
        order, losses = torch.randperm(len(x)), []
        for first in range(0, len(x) // BATCH * BATCH, BATCH):
            rows = order[first : first + BATCH]
            loss = torch.nn.functional.mse_loss(network(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1:2}: mean squared error {np.mean(losses):.4f} GeV2", flush=True)  # noqa: T201
    return network.eval()


def write_onnx(network: Any, file: Path) -> None:
    """Write a trained network as `features` FLOAT[rows, 15] -> `energy` FLOAT[rows, 1]."""
    onnx = need_extra("onnx", "dev", "writing FACILE")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    scale, shift, mean, variance = (state[f"0.{name}"] for name in ("weight", "bias", "running_mean", "running_var"))
    nodes = [
        helper.make_node("BatchNormalization", ["features", "scale", "shift", "mean", "variance"], ["x0"], epsilon=1e-5)
    ]
    weights = {"scale": scale, "shift": shift, "mean": mean, "variance": variance}
    last = "x0"
    for number in range(1, len(LAYERS) + 1):
        layer = 2 * number - 1
        weights[f"w{number}"], weights[f"b{number}"] = state[f"{layer}.weight"], state[f"{layer}.bias"]
        dense = "energy" if number == len(LAYERS) else f"d{number}"
        nodes.append(helper.make_node("Gemm", [last, f"w{number}", f"b{number}"], [dense], transB=1))
        if number < len(LAYERS):
            nodes.append(helper.make_node("Relu", [dense], [f"x{number}"]))
        last = f"x{number}"
    graph = helper.make_graph(
        nodes,
        "facile",
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["rows", INPUTS])],
        [helper.make_tensor_value_info("energy", onnx.TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(file))


def figures(name: str, found: Floats, truth: Floats) -> str:
    """Bias and spread above 1 GeV and the noise of channels without energy, GeV."""
    signal, quiet = truth > 1, truth == 0
    error = (found - truth)[signal]
    return (
        f"{name}: above 1 GeV bias {error.mean():+.3f}, RMS {np.sqrt((error**2).mean()):.3f} GeV; "
        f"without energy RMS {np.sqrt((found[quiet] ** 2).mean()):.3f} GeV"
    )


def main() -> None:
    """Train, write the model, print its figures on channels that it has not seen."""
    torch = need_extra("torch", "dev", "training FACILE")
    parser = argparse.ArgumentParser(description=main.__doc__)
    default = Path(__file__).parents[1] / "models/facile/1/model.onnx"
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--blocks", type=int, default=8, help=f"of {BLOCK} collisions")
    parser.add_argument("--epochs", type=int, default=15)
    arguments = parser.parse_args()
    features, energies, _ = sample(range(arguments.blocks), 0.02)
    print(f"{len(features)} channels, {np.count_nonzero(energies > 1)} above 1 GeV", flush=True)  # noqa: T201
    network = train(torch, features, energies, arguments.epochs)
    write_onnx(network, arguments.output)
    features, energies, fits = sample(range(arguments.blocks, arguments.blocks + 2), 0.1)
    with torch.no_grad():
        found = network(torch.from_numpy(features)).numpy()[:, 0]
    print(figures("FACILE", found, energies))  # noqa: T201
    print(figures("template fit", fits, energies))  # noqa: T201


if __name__ == "__main__":
    main()
