"""The pulse of a channel: how its charge spreads over 8 slices of 25 ns."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["IN_TIME", "SLICES", "SLICE_NS", "pulse"]

SLICES: Final = 8
"""Time slices that are read out."""
SLICE_NS: Final = 25.0
"""Length of a slice, ns."""
IN_TIME: Final = 3
"""The slice in which a pulse of the collision begins, counted from 0."""
RISE_NS: Final = 5.0
"""Time constant of the rising edge, ns."""
DECAY_NS: Final = 20.0
"""Time constant of the tail, ns."""


def pulse(delay: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of a pulse's charge in each slice, shape (pulses, 8), for delays in ns of shape (pulses,).

    The shape is (1 - exp(-t/rise)) exp(-t/decay) from 2 ns after slice 3 begins, integrated over each slice and
    normalised to 1 over the slices read out.
    """
    edges = (np.arange(SLICES + 1, dtype=np.float32) - IN_TIME) * np.float32(SLICE_NS) - np.float32(2)
    since = np.maximum(edges - delay[:, None], 0)
    both = RISE_NS * DECAY_NS / (RISE_NS + DECAY_NS)
    whole = (1 - np.exp(-since / DECAY_NS)) * DECAY_NS - (1 - np.exp(-since / both)) * both
    shares = np.maximum(np.diff(whole, axis=1), 0)
    normal: NDArray[np.float32] = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return normal
