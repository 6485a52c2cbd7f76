"""The network as a table of its layers, from which it is built, counted and tested.

Krupa et al. 2021 (arXiv:2007.10359, section 4.2) describe five convolutional blocks and three dense layers; filters
and units are not given there. These are chosen so that Table 1 is met: 1.8 million parameters and 0.43 GFLOP for a
batch of 5. An image of 11 columns cannot be halved four times, so each column is first repeated five times.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from eventbraid_modules.deepcalo.geometry import IMAGE

__all__ = ["DENSE", "FILTERS", "LAYERS", "REPEAT", "Layer", "config", "flops", "parameters"]

FILTERS: Final = (16, 32, 64, 128, 256)
"""Filters of the convolutions of each block."""
DENSE: Final = (256, 256, 1)
"""Units of the dense layers, the last of which gives the energy."""
REPEAT: Final = 5
"""How often a column of the image (a cell in phi) is repeated."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights: a convolution (`kernel` above 0), followed by batch normalisation, or a dense one."""

    block: int
    """From 1; the dense layers are block 6."""
    inputs: int
    """Channels of what comes in, or numbers."""
    outputs: int
    kernel: int = 0
    size: tuple[int, int] = (1, 1)
    """Rows and columns of what goes out."""

    @property
    def parameters(self) -> int:
        """Weights, and for each output a bias, or the scale and shift of its batch normalisation."""
        return self.inputs * self.outputs * (self.kernel**2 or 1) + self.outputs * (2 if self.kernel else 1)

    @property
    def flops(self) -> int:
        """Multiplications and additions of the weights for one image."""
        return 2 * self.inputs * self.outputs * (self.kernel**2 or 1) * self.size[0] * self.size[1]


def _layers() -> tuple[Layer, ...]:
    rows, columns, channels = IMAGE
    size = (rows, REPEAT * columns)
    found = [Layer(1, channels, FILTERS[0], 5, size)]
    for block, (before, after) in enumerate(pairwise(FILTERS), start=2):
        size = (size[0] // 2, size[1] // 2)
        found += [Layer(block, before, after, 3, size), Layer(block, after, after, 3, size)]
    flat = FILTERS[-1] * size[0] * size[1]
    return (*found, *(Layer(6, before, after) for before, after in pairwise((flat, *DENSE))))


LAYERS: Final = _layers()
"""The layers with weights, in their order."""


def parameters() -> int:
    """How many numbers are trained: 1,834,721."""
    return sum(layer.parameters for layer in LAYERS)


def flops(images: int) -> int:
    """Multiplications and additions for a batch of so many images."""
    return images * sum(layer.flops for layer in LAYERS)


CONFIG: Final = """\
platform: "onnxruntime_onnx"
max_batch_size: 500
input [ { name: "image" data_type: TYPE_FP32 dims: [ 56, 11, 4 ] } ]
output [ { name: "energy" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""
DYNAMIC: Final = """\
dynamic_batching {
  preferred_batch_size: [ 250, 500 ]
  max_queue_delay_microseconds: 1000
}
"""


def config(name: str, dynamic: bool) -> str:
    """The model's config.pbtxt; where `dynamic`, requests are joined to batches of 250 or 500 (section 5.3.1)."""
    return f'name: "{name}"\n{CONFIG}{DYNAMIC if dynamic else ""}'
