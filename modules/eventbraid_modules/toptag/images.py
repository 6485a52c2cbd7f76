"""Images of jets: what charged and neutral particles of a jet leave in the pixels around its axis.

Moved, turned and mirrored as in Macaluso and Shih 2018 (arXiv:1803.00107), so that jets that differ by
that alone have one image; the channels are those of Komiske, Metodiev and Schwartz 2016 (arXiv:1612.01551).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.toptag.jets import FatJets

__all__ = ["CHANNELS", "HALF", "SIZE", "JetImageMaker", "JetImages", "make_images", "standard_view"]

CHANNELS: Final = 3
"""Charged pt, neutral pt, charged multiplicity."""
HALF: Final = 0.8
"""From the middle of an image to its edge, in eta and phi."""
SIZE: Final = 32
"""Pixels on a side of the images that the shipped network is trained on."""
COUNT: Final = 10
"""Charged particles in a pixel that make 1."""


@dataclass(frozen=True, slots=True)
class JetImages:
    """The images of an event's jets."""

    pixels: NDArray[np.float32]
    """Shape (jets, 3, size, size), rows along the principal axis.

    The roots of the share of the jet's transverse momentum that charged particles have, of that of neutral ones, and
    of the number of charged particles over 10.
    """


def standard_view(jets: FatJets) -> NDArray[np.float64]:
    """Where each constituent is in its jet's image, shape (constituents, 2): along the principal axis and across.

    From the centre of transverse momentum; the principal axis is that of the second moments, and the third moments
    in both directions are 0 or more.
    """
    owner, pt = jets.owner, jets.constituents.pt.astype(np.float64)
    total = np.maximum(np.bincount(owner, pt, len(jets)), np.finfo(np.float64).tiny)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.bincount(owner, pt * values, len(jets)) / total
        return found

    eta = jets.constituents.eta - jets.eta[owner]
    turn = jets.constituents.phi - jets.phi[owner]
    phi = np.mod(turn + np.pi, 2 * np.pi) - np.pi
    eta, phi = eta - mean(eta)[owner], phi - mean(phi)[owner]
    angle = np.arctan2(2 * mean(eta * phi), mean(eta * eta) - mean(phi * phi)) / 2
    cos, sin = np.cos(angle)[owner], np.sin(angle)[owner]
    axes = (cos * eta + sin * phi, cos * phi - sin * eta)
    return np.stack([each * np.where(mean(each**3) < 0, -1, 1)[owner] for each in axes], axis=1)


def make_images(jets: FatJets, size: int) -> JetImages:
    """The images of jets, `size` pixels on a side; what is further from the middle than 0.8 is left out."""
    pixels = np.zeros((len(jets), CHANNELS, size, size), np.float32)
    row, column = np.floor((standard_view(jets) / HALF + 1) * (size / 2)).astype(np.intp).T
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    pt = jets.constituents.pt.astype(np.float64)
    share = pt / np.maximum(np.bincount(jets.owner, pt, len(jets)), np.finfo(np.float64).tiny)[jets.owner]
    charged = jets.constituents.charge != 0
    for channel, (kept, values) in enumerate(
        ((charged, share), (~charged, share), (charged, np.full(len(pt), 1 / COUNT)))
    ):
        chosen = kept & inside
        places = np.ravel_multi_index((jets.owner[chosen], row[chosen], column[chosen]), (len(jets), size, size))
        hit, which = np.unique(places, return_inverse=True)  # few pixels of many are hit
        jet, high, wide = np.unravel_index(hit, (max(len(jets), 1), size, size))
        pixels[jet, channel, high, wide] = np.sqrt(np.bincount(which, values[chosen], len(hit)))
    return JetImages(pixels)


class JetImageMaker(Producer):
    """Makes the images of an event's fat jets."""

    jets = Input[FatJets]("fatJets")
    images = Output[JetImages]()
    size = Parameter(SIZE, ge=8, le=1024, doc="pixels on a side: 32 for the model toptag, 224 for resnet50")

    def produce(self, event: Event) -> None:
        event[self.images] = make_images(event[self.jets], self.size)
