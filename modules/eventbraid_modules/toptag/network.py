"""Residual networks as tables of layers, from which they are built, counted and tested.

He et al. 2015 (arXiv:1512.03385): bottleneck blocks of a 1 x 1, a 3 x 3 and a 1 x 1 convolution, each followed by
batch normalisation, with a connection that skips the block. `RESNET50` is that of Table 1 there with one output in
place of 1000; `TOPTAG` is made of the same blocks and small enough to be shipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from eventbraid_modules.toptag.images import CHANNELS, SIZE

__all__ = ["RESNET50", "TOPTAG", "Block", "Layer", "Network", "Operations", "logit"]

T = TypeVar("T")
EXPANSION: Final = 4
"""Filters that a block gives, over those of its 3 x 3 convolution."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights: a convolution (`kernel` above 0), followed by batch normalisation, or a dense one."""

    name: str
    inputs: int
    """Channels of what comes in."""
    outputs: int
    kernel: int = 0
    stride: int = 1
    size: int = 1
    """Pixels on a side of what goes out."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weights."""
        return (self.outputs, self.inputs, *([self.kernel] * 2 if self.kernel else ()))

    @property
    def parameters(self) -> int:
        """Weights, and for each output a bias, or the scale and shift of its batch normalisation."""
        return self.inputs * self.outputs * (self.kernel**2 or 1) + self.outputs * (2 if self.kernel else 1)

    @property
    def multiplications(self) -> int:
        """By the weights, for one image; each goes with an addition."""
        return self.inputs * self.outputs * (self.kernel**2 or 1) * self.size**2


@dataclass(frozen=True, slots=True)
class Block:
    """A bottleneck; `project` is in the skip connection where the block's output has another shape than its input."""

    reduce: Layer
    spatial: Layer
    expand: Layer
    project: Layer | None


@dataclass(frozen=True, slots=True)
class Network:
    """A residual network: images (n, 3, image, image) to one score each."""

    name: str
    image: int
    """Pixels on a side."""
    stem: Layer
    """The first convolution, after which a maximum of 3 x 3 halves the sides."""
    blocks: tuple[Block, ...]
    head: Layer

    @property
    def layers(self) -> Iterator[Layer]:
        """All that have weights, in their order."""
        yield self.stem
        for block in self.blocks:
            yield from (block.reduce, block.spatial, block.expand)
            if block.project is not None:
                yield block.project
        yield self.head

    @property
    def depth(self) -> int:
        """Layers with weights on the longest way: what the 50 of ResNet-50 counts."""
        return 2 + 3 * len(self.blocks)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiplications(self) -> int:
        """By the weights, for one image."""
        return sum(layer.multiplications for layer in self.layers)


def _network(name: str, image: int, stem: tuple[int, int, int], stages: Sequence[tuple[int, int]]) -> Network:
    """Of a stem of (filters, kernel, stride) and stages of (blocks, filters); all stages but the first halve sides."""
    filters, kernel, stride = stem
    first = Layer("stem", CHANNELS, filters, kernel, stride, image // stride)
    channels, size, blocks = filters, first.size // 2, list[Block]()
    for stage, (count, width) in enumerate(stages, start=1):
        for number in range(1, count + 1):
            step = 2 if number == 1 and stage > 1 else 1
            size //= step
            at, wide = f"stage{stage}.block{number}", EXPANSION * width
            blocks.append(
                Block(
                    Layer(f"{at}.reduce", channels, width, 1, step, size),
                    Layer(f"{at}.spatial", width, width, 3, 1, size),
                    Layer(f"{at}.expand", width, wide, 1, 1, size),
                    Layer(f"{at}.project", channels, wide, 1, step, size) if number == 1 else None,
                )
            )
            channels = wide
    return Network(name, image, first, tuple(blocks), Layer("head", channels, 1))


RESNET50: Final = _network("resnet50", 224, (64, 7, 2), ((3, 64), (4, 128), (6, 256), (3, 512)))
TOPTAG: Final = _network("toptag", SIZE, (16, 3, 1), ((1, 8), (2, 16), (2, 32)))


class Operations(Protocol[T]):
    """What a network is built with, on tensors or on names of them."""

    def convolve(self, x: T, layer: Layer) -> T:
        """With batch normalisation."""
        ...

    def rectify(self, x: T) -> T:
        """Zero where negative."""
        ...

    def pool(self, x: T) -> T:
        """The maximum of 3 x 3 pixels at every second."""
        ...

    def add(self, x: T, y: T) -> T:
        """Their sum."""
        ...

    def average(self, x: T) -> T:
        """Over all pixels, shape (n, channels)."""
        ...

    def weigh(self, x: T, layer: Layer) -> T:
        """A dense layer."""
        ...


def logit(network: Network, image: T, by: Operations[T]) -> T:
    """What the network makes of images, before the last sigmoid."""
    x = by.pool(by.rectify(by.convolve(image, network.stem)))
    for block in network.blocks:
        y = by.rectify(by.convolve(x, block.reduce))
        y = by.rectify(by.convolve(y, block.spatial))
        y = by.convolve(y, block.expand)
        x = by.rectify(by.add(y, x if block.project is None else by.convolve(x, block.project)))
    return by.weigh(by.average(x), network.head)
