"""How a channel answers to charge, and how that is undone: field and electronics response, and the filter.

Cold electronics of 2 us peaking time, (t/tau)^4 e^(4 (1 - t/tau)); on collection wires a short current of one sign, on
induction wires one of both. A spread of charge so long that it has no edges leaves nothing on an induction wire.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.protodune.detector import TICK_US

__all__ = ["response", "transfer", "undo"]

PEAKING_US: Final = 2.0
"""Of the electronics."""
GAIN: Final = 1 / 150
"""ADC counts at the peak for an electron that comes at once: 14 mV/fC and 12 bits of 1.4 V."""
FIELD_US: Final = {"U": 1.3, "V": 1.3, "X": 0.8}
"""Width of the current on a wire, us."""
INDUCED: Final = {"U": 0.6, "V": 0.7}
"""Height of induction pulses, of both signs, in units of the collection pulse."""
SPAN: Final = 64
"""Ticks of a response, more than which nothing comes."""
SMOOTH_US: Final = 0.9
"""Width that a point of charge has when the response is undone."""
FLOOR: Final = {"U": 0.12, "V": 0.12, "X": 0.05}
"""Frequencies at which the response is below that share of its largest are not raised to the full."""


@lru_cache(maxsize=8)
def response(view: str) -> NDArray[np.float64]:
    """ADC counts in each tick for an electron that arrives in tick SPAN/2, shape (64,)."""
    fine = 10  # steps a tick
    time = (np.arange(SPAN * fine) - SPAN * fine / 2 + 0.5) * TICK_US / fine
    current = np.exp(-0.5 * (time / FIELD_US[view]) ** 2)
    if view in INDUCED:
        current = -time * current
    since = np.maximum(time, 0) / PEAKING_US
    shaped = np.convolve(current, since**4 * np.exp(4 * (1 - since)))[SPAN * fine // 2 :][: SPAN * fine]
    largest = float(np.abs(shaped).max())
    pulse: NDArray[np.float64] = shaped.reshape(SPAN, fine).mean(axis=1) * GAIN * INDUCED.get(view, 1.0) / largest
    pulse.flags.writeable = False
    return pulse


@lru_cache(maxsize=8)
def transfer(view: str, ticks: int) -> NDArray[np.complex128]:
    """The response by frequency, shape (ticks // 2 + 1,); a pulse begins where its charge arrives."""
    padded = np.zeros(ticks)
    padded[:SPAN] = response(view)
    found = np.fft.rfft(np.roll(padded, -SPAN // 2))
    found.flags.writeable = False
    return found


@lru_cache(maxsize=8)
def undo(view: str, ticks: int) -> NDArray[np.complex128]:
    """What spectra of waveforms are multiplied by to get electrons a tick, shape (ticks // 2 + 1,).

    The inverse of the response with Wiener's floor, and a Gaussian low-pass of SMOOTH_US.
    """
    forward = transfer(view, ticks)
    power = np.abs(forward) ** 2
    frequency = np.fft.rfftfreq(ticks, TICK_US)
    smooth = np.exp(-0.5 * (2 * np.pi * frequency * SMOOTH_US) ** 2)
    found: NDArray[np.complex128] = np.conj(forward) * smooth / (power + power.max() * FLOOR[view] ** 2)
    found.flags.writeable = False
    return found
