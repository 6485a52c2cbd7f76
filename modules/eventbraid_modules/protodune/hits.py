"""Hits: Gaussian-like peaks of the charge on a wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.protodune.deconvolution import Signals

__all__ = ["HitFinder", "Hits", "find_hits"]

REACH: Final = 3
"""A peak is the highest within so many ticks on both sides."""
ARM: Final = 2
"""The Gaussian goes through the peak and the samples so many ticks before and after."""
WIDEST: Final = 20.0
"""Of a peak, ticks: one that has no curvature has this."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits in the order of channel and tick: arrays of one length."""

    channel: NDArray[np.int32]
    tick: NDArray[np.float32]
    """Of the Gaussian's peak."""
    width: NDArray[np.float32]
    """The Gaussian's sigma, ticks."""
    electrons: NDArray[np.float32]
    """The charge under the Gaussian."""

    def __len__(self) -> int:
        return len(self.channel)

    def of(self, kept: NDArray[np.intp]) -> Hits:
        """Those alone; `kept` are their numbers, in ascending order."""
        return Hits(self.channel[kept], self.tick[kept], self.width[kept], self.electrons[kept])


def find_hits(signals: Signals, threshold: float) -> Hits:
    """The peaks above `threshold` times the noise of their channel."""
    charge = signals.charge
    ticks = charge.shape[1]
    channel, tick = np.nonzero(charge > (threshold * signals.noise)[:, None])
    within = (tick >= REACH) & (tick < ticks - REACH)
    channel, tick = channel[within], tick[within]
    around = charge[channel[:, None], tick[:, None] + np.arange(-REACH, REACH + 1)]
    height = around[:, REACH]
    peak = (height >= around[:, :REACH].max(axis=1)) & (height > around[:, REACH + 1 :].max(axis=1))
    channel, tick, height, around = channel[peak], tick[peak], height[peak], around[peak]
    logs = np.log(np.maximum(around[:, [REACH - ARM, REACH, REACH + ARM]], 0.01 * height[:, None]))
    curvature = np.minimum(logs[:, 0] - 2 * logs[:, 1] + logs[:, 2], -((ARM / WIDEST) ** 2))
    shift = ARM / 2 * (logs[:, 0] - logs[:, 2]) / curvature
    width = ARM / np.sqrt(-curvature)
    return Hits(
        channel.astype(np.int32),
        (tick + np.clip(shift, -1, 1)).astype(np.float32),
        width.astype(np.float32),
        (height * width * np.sqrt(2 * np.pi)).astype(np.float32),
    )


class HitFinder(Producer):
    """Finds the hits of all wires."""

    offload = True
    signals = Input[Signals]("signals")
    hits = Output[Hits]()
    threshold = Parameter(4.0, gt=0, doc="in units of the noise")

    def produce(self, event: Event) -> None:
        event[self.hits] = find_hits(event[self.signals], self.threshold)
