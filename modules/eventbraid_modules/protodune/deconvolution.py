"""Deconvolution: from waveforms back to charge on wires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Producer
from eventbraid.errors import DataError
from eventbraid_modules.protodune.detector import Detector
from eventbraid_modules.protodune.readout import FULL_SCALE, Waveforms
from eventbraid_modules.protodune.response import undo

__all__ = ["Deconvolution", "Signals", "deconvolve"]

DEAD: Final = 0.5
"""A channel that lacks so large a share of its samples is dead."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Charge on wires."""

    charge: NDArray[np.float32]
    """Electrons a tick, shape (channels, ticks); 0 for dead channels."""
    noise: NDArray[np.float32]
    """Its RMS without signals, electrons a tick, shape (channels,): one number for a plane, infinite where dead."""
    saturated: NDArray[np.int32]
    """Samples of each channel that stand at full scale, or at 0: their charge is more than what is found."""
    detector: Detector


def deconvolve(waveforms: Waveforms) -> Signals:
    """Undo the response of every channel.

    A channel is dead where its samples are all the same or half of them are not finite; elsewhere a sample that is
    not finite counts as the channel's median, and one beyond the digitiser's range as the end of that range. Raises
    `DataError` where the shape is not the detector's.
    """
    detector, adc = waveforms.detector, waveforms.adc
    if adc.shape != (detector.channels, detector.ticks):
        expected = f"{detector.channels} channels and {detector.ticks} ticks"
        raise DataError(f"waveforms of shape {adc.shape} are not those of a detector with {expected}")
    charge = np.empty(adc.shape, np.float32)
    noise = np.empty(detector.channels, np.float32)
    saturated = np.empty(detector.channels, np.int32)
    for plane in detector.planes:
        samples, dead, saturated[plane.channels] = _clean(adc[plane.channels])
        spectrum = np.fft.rfft(samples, axis=1)
        spectrum *= undo(plane.view, detector.ticks)
        found = np.fft.irfft(spectrum, detector.ticks, axis=1).astype(np.float32)
        found[dead] = 0
        charge[plane.channels] = found
        noise[plane.channels] = np.where(dead, np.inf, _spread(found[~dead]))
    return Signals(charge, noise, saturated, detector)


def _clean(adc: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int32]]:
    """Samples less the pedestal, which channels are dead, and how many samples are saturated."""
    samples = adc.astype(np.float32)
    dead = np.zeros(len(samples), np.bool_)
    if adc.dtype.kind == "f":
        lacking = np.isnan(samples)
        dead = lacking.mean(axis=1) >= DEAD
        samples[dead] = 0
        for channel in np.flatnonzero(lacking.any(axis=1) & ~dead):
            samples[channel, lacking[channel]] = np.nanmedian(samples[channel])
    np.clip(samples, 0, FULL_SCALE, out=samples)
    dead |= np.ptp(samples, axis=1) == 0
    saturated = ((samples <= 0) | (samples >= FULL_SCALE)).sum(axis=1, dtype=np.int32)
    saturated[dead] = 0
    samples -= np.median(samples, axis=1, keepdims=True)
    return samples, dead, saturated


def _spread(charge: NDArray[np.float32]) -> float:
    """The RMS of noise, from the median of what every fourth tick has, which signals hardly change."""
    return float(np.median(np.abs(charge[:, ::4]))) / 0.6745 if charge.size else np.inf


class Deconvolution(Producer):
    """Finds the charge on every wire, with the response of field and electronics undone."""

    offload = True
    waveforms = Input[Waveforms]("readout.waveforms")
    signals = Output[Signals]()

    def produce(self, event: Event) -> None:
        event[self.signals] = deconvolve(event[self.waveforms])
