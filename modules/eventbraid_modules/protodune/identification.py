"""What made each hit: EmTrackMichelId as a service, or a rule of geometry on the CPU that can take its place.

Both put scores, shape (hits, 4), from 0 to 1: track, shower ("em"), none, which sum to one, and Michel, the columns of
LArSoft's EmTrackMichelId. "None" is a patch in whose middle there is no charge, only noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.protodune.patches import CENTRE

__all__ = ["SCORES", "EmTrackMichelId", "GeometricId", "classify", "shape_of"]

Array = NDArray[np.float32]
SCORES: Final = ("track", "em", "none", "michel")
"""The columns of scores."""


class EmTrackMichelId(InferenceProducer):
    """Classify every hit by the patch around it, as a service (Wang et al. 2021, arXiv:2009.04509, section 2.2)."""

    patches = Input[Array]("patches")
    scores = Output[Array]()  # shape (hits, 4): see SCORES
    batch_size = Parameter(235, ge=0, doc="patches a request, an event's requests at once; 235 or 1693 in the paper")

    async def acquire(self, event: Event) -> Tensors:
        return {"patches": event[self.patches][..., None]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.scores] = np.concatenate([response["track_em_none"], response["michel"]], axis=1)


LOCAL: Final = 8
"""Pixels on each side of the hit in which it is seen whether charge is on a line."""
WIDE: Final = 12
"""Pixels on each side in which it is seen whether the hit is in the middle of a line, or near an end."""
CHARGED: Final = 0.1
"""A pixel with less has no charge; in the units of patches, a minimum-ionising particle's."""
MOST: Final = 2.0
"""More than that counts as that, so that one delta ray does not make the line."""


def shape_of(patches: Array, reach: int) -> tuple[Array, Array, Array]:
    """How charge lies within `reach` pixels of the middle of each patch.

    The ratio of the smaller principal spread to the larger one, 0 for a line; how many pixels have charge; how far
    their centre is from the hit, pixels. Each of shape (patches,).
    """
    window = slice(CENTRE - reach, CENTRE + reach + 1)
    charge = patches[:, window, window].reshape(len(patches), (2 * reach + 1) ** 2)
    charge = np.where(charge > CHARGED, np.minimum(charge, MOST), np.float32(0))
    steps = np.arange(-reach, reach + 1, dtype=np.float32)
    wire, time = (each.ravel() for each in np.meshgrid(steps, steps, indexing="ij"))
    moments = charge @ np.stack([np.ones_like(wire), wire, time, wire**2, time**2, wire * time], axis=1)
    moments[:, 1:] /= np.maximum(moments[:, :1], 1e-6)
    _, wires, times, wires_2, times_2, both = moments.T
    spread_w, spread_t, mixed = wires_2 - wires**2, times_2 - times**2, both - wires * times
    middle = (spread_w + spread_t) / 2
    apart = np.hypot((spread_w - spread_t) / 2, mixed)
    ratio = np.sqrt(np.maximum(middle - apart, 0) / np.maximum(middle + apart, 1e-6))
    return ratio, np.count_nonzero(charge, axis=1).astype(np.float32), np.hypot(wires, times)


def classify(patches: Array) -> Array:
    """Scores by rule, shape (patches, 4): a track is a line of enough charge, a shower is any other charge.

    A Michel electron is no line, near the end of what is around it, and close to the densest charge, of a muon
    that stopped.
    """
    core = patches[:, CENTRE - 1 : CENTRE + 2, CENTRE - 1 : CENTRE + 2].sum(axis=(1, 2))
    ratio, pixels, _ = shape_of(patches, LOCAL)
    off = shape_of(patches, WIDE)[2]
    densest = patches.max(axis=(1, 2), initial=0)
    none = _rise(0.2 - core, 0.05)
    line = _rise(0.16 - ratio, 0.05) * _rise(pixels - 10, 2)
    michel = (1 - none) * (1 - line) * _rise(off - 2, 0.7) * _rise(densest - 2.6, 0.4)
    return np.stack([(1 - none) * line, (1 - none) * (1 - line), none, michel], axis=1).astype(np.float32)


def _rise(value: Array, width: float) -> Array:
    """From 0 to 1 around 0, within some times `width`."""
    risen: Array = (1 / (1 + np.exp(-np.clip(value / width, -30, 30)))).astype(np.float32)
    return risen


class GeometricId(Producer):
    """Classify every hit by whether the charge around it is a line: the rule-based alternative to the network."""

    offload = True
    patches = Input[Array]("patches")
    scores = Output[Array]()  # shape (hits, 4): see SCORES

    def produce(self, event: Event) -> None:
        event[self.scores] = classify(event[self.patches])
