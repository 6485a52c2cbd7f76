"""Trains the network of the tutorial: `python examples/tutorial/train.py`; pip install 'eventbraid[training]'."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventbraid import Job
from eventbraid.testing import ListOutput
from eventbraid_modules import training
from eventbraid_modules.hlt import CollisionSource
from top import modules

CONFIG = """\
name: "top"
platform: "onnxruntime_onnx"
max_batch_size: 1024
input [ { name: "shape" data_type: TYPE_FP32 dims: [ 5 ] } ]
output [ { name: "score" data_type: TYPE_FP32 dims: [ 1 ] } ]
dynamic_batching { }
"""


def shapes(top_fraction: float, seed: int) -> NDArray[np.float32]:
    """The five numbers of 400 collisions, shape (400, 5): a job's products, read back in a program."""
    output = ListOutput(keep=["shape"])
    source = CollisionSource(events=400, seed=seed, top_fraction=top_fraction)
    Job("shapes", source=source, modules=modules, outputs=[output], streams=1).run()
    return np.stack([row.products["shape"] for row in output.rows])


def main() -> None:
    """Train on one sample, and tell on another what the network finds."""
    torch = training.torch(seed=1)
    top, soft = (torch.from_numpy(shapes(fraction, seed=11)) for fraction in (1.0, 0.0))
    x = torch.cat([top, soft])
    y = torch.cat([torch.ones(len(top), 1), torch.zeros(len(soft), 1)])
    layers = torch.nn
    network = layers.Sequential(
        layers.BatchNorm1d(5), layers.Linear(5, 16), layers.ReLU(), layers.Linear(16, 1), layers.Sigmoid()
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        layers.functional.binary_cross_entropy(network(x), y).backward()
        optimiser.step()
    network.eval()
    for name, fraction in (("top pairs", 1.0), ("soft collisions", 0.0)):
        held_out = shapes(fraction, seed=12)
        score = network(torch.from_numpy(held_out)).detach().numpy()[:, 0]
        passed, four = np.mean(score >= 0.5), np.mean(held_out[:, 3] > 30)
        print(f"{name}: {passed:.1%} pass the network, {four:.1%} have four jets")
    training.write(network, Path(__file__).parent / "models" / "top", {"shape": x[:2]}, ("score",), CONFIG)


if __name__ == "__main__":
    main()
