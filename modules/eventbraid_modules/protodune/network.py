"""The network of EmTrackMichelId by its layers (Wang et al. 2021, arXiv:2009.04509, section 2.2 and figure 1)."""

from __future__ import annotations

from math import prod
from typing import Final

from eventbraid_modules.protodune.patches import SIDE

__all__ = ["CLASSES", "FILTERS", "KERNEL", "LAYERS", "MAPS", "PARAMETERS"]

FILTERS: Final = 48
"""Convolutions of stride 1, without padding."""
KERNEL: Final = 5
"""Wires and times that one takes."""
MAPS: Final = (FILTERS, SIDE - KERNEL + 1, SIDE - KERNEL + 1)
"""What they make of a patch: 48 maps of 44 x 44."""
CLASSES: Final = ("track", "em", "none")
"""Of the softmax branch, as LArSoft orders them; the other branch, a sigmoid, says "michel"."""
LAYERS: Final[dict[str, tuple[int, ...]]] = {
    "convolution": (FILTERS, 1, KERNEL, KERNEL),
    "first": (128, prod(MAPS)),
    "second": (32, 128),
    "classes": (len(CLASSES), 32),
    "michel": (1, 32),
}
"""Shapes of the weights, what a layer puts out first; each has as many biases."""
PARAMETERS: Final = sum(prod(shape) + shape[0] for shape in LAYERS.values())
"""Trainable parameters: 11,900,420."""
