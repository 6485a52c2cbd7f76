"""Images of 56 x 11 pixels in four layers, cut out around the cell with most energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Producer
from eventbraid.errors import DataError
from eventbraid_modules.deepcalo.cells import Cells
from eventbraid_modules.deepcalo.geometry import ENERGY_MAX, IMAGE, LAYERS, PATCH, PHI_PIXELS, PIXEL_ETA, PIXEL_PHI

__all__ = ["ImageMaker", "Images", "make_images"]

Array = NDArray[np.float32]
SEEDS: Final = (slice(4, 10), slice(6, 14))
"""Middle cells of a patch in which the electron is looked for, in eta and in phi."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images of an event's electrons."""

    pixels: Array
    """GeV, shape (n, 56, 11, 4): eta, phi, layer; a cell's energy is shared evenly by the pixels that it covers."""
    eta: Array
    """Pseudorapidity of the middle of each image."""
    phi: Array
    """Azimuth of the middle of each image, radians, from -pi to pi."""


def make_images(cells: Cells) -> Images:
    """The images around the cell of the middle layer with most energy near each patch's middle.

    Raises `DataError` for cells whose energies are no numbers or beyond that of the collision.
    """
    for layer, energy in zip(LAYERS, cells.layers, strict=True):
        if not (np.abs(energy) < ENERGY_MAX).all():  # false for NaN too
            electron, eta, phi = np.argwhere(~(np.abs(energy) < ENERGY_MAX))[0]
            value = energy[electron, eta, phi]
            raise DataError(f"electron {electron}: cell ({eta}, {phi}) of layer {layer.name} has {value:g} GeV")
    count = len(cells)
    near = cells.layers[2][:, SEEDS[0], SEEDS[1]]
    hottest = near.reshape(count, -1).argmax(axis=1) if count else np.zeros(0, np.int64)
    rows, columns = np.unravel_index(hottest, near.shape[1:])
    low = np.stack([8 * (rows + SEEDS[0].start - 3), columns + SEEDS[1].start - 5], axis=1)
    whole = np.empty((count, *PATCH, len(LAYERS)), np.float32)
    for number, (layer, energy) in enumerate(zip(LAYERS, cells.layers, strict=True)):
        each = energy / np.float32(layer.eta * layer.phi)
        whole[..., number] = np.repeat(np.repeat(each, layer.eta, axis=1), layer.phi, axis=2)
    take_eta, take_phi = low[:, :1] + np.arange(IMAGE[0]), low[:, 1:] + np.arange(IMAGE[1])
    pixels = whole[np.arange(count)[:, None, None], take_eta[:, :, None], take_phi[:, None, :]]
    eta, phi = (cells.corner + low + np.array(IMAGE[:2]) / 2).T
    phi = (phi + PHI_PIXELS / 2) % PHI_PIXELS - PHI_PIXELS / 2
    return Images(pixels, (eta * PIXEL_ETA).astype(np.float32), (phi * PIXEL_PHI).astype(np.float32))


class ImageMaker(Producer):
    """Makes the images of an event's electrons from the cells around them."""

    cells = Input[Cells]("cells")
    images = Output[Images]()

    def produce(self, event: Event) -> None:
        event[self.images] = make_images(event[self.cells])
