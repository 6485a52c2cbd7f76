"""From charge in the argon to raw waveforms: drift, diffusion, three planes of wires, response, noise, 12 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.protodune.detector import TICK_CM, TICK_US, Detector, Plane
from eventbraid_modules.protodune.ionisation import Ionisation
from eventbraid_modules.protodune.response import transfer

__all__ = ["FULL_SCALE", "Arrivals", "Waveforms", "WireReadout", "arrivals_of", "digitise", "drift"]

FULL_SCALE: Final = 4095
"""The largest count of the digitiser: where it stands, there was more."""
PEDESTAL: Final = {"U": 2000.0, "V": 2000.0, "X": 900.0}
"""Mean count without a signal."""
CLOUDS: Final = 3
"""Parts that the charge of a point is split in before it is spread by diffusion."""
DIFFUSION_CM2_US: Final = (4.0e-6, 8.8e-6)
"""Along and across the drift."""


@dataclass(frozen=True, slots=True)
class Waveforms:
    """What the detector reads out for an event."""

    adc: NDArray[np.uint16]
    """Counts, 0 to 4095, shape (channels, ticks); data may be of a floating-point type, with NaN where it lacks."""
    detector: Detector


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The truth of the readout: charge on channels, sorted by channel and tick, arrays of one length."""

    key: NDArray[np.int64]
    """channel * ticks + tick."""
    electrons: NDArray[np.float32]
    kind: NDArray[np.int8]
    """See `Kind`."""


def drift(ionisation: Ionisation, rng: np.random.Generator) -> Ionisation:
    """The charge in clouds, spread by diffusion; still at the place where it was set free."""
    position = np.repeat(ionisation.position, CLOUDS, axis=0)
    waited = position[:, :1] * (TICK_US / TICK_CM)
    along, across = DIFFUSION_CM2_US
    spread = np.sqrt(2 * np.array([along, across, across]) * waited)
    return Ionisation(
        position + spread * rng.standard_normal(position.shape),
        np.repeat(ionisation.electrons / CLOUDS, CLOUDS),
        np.repeat(ionisation.kind, CLOUDS),
        np.repeat(ionisation.module, CLOUDS),
    )


def arrivals_of(detector: Detector, clouds: Ionisation) -> Arrivals:
    """On which channels and when clouds of charge arrive; what misses the wires or the readout is lost."""
    y, z = clouds.position[:, 1], clouds.position[:, 2]
    tick = detector.tick(clouds.position[:, 0])
    keys, electrons, kinds = [], [], []
    for plane in detector.planes:
        wire = detector.wire(plane, y, z)
        seen = (clouds.module == plane.module) & (wire >= 0) & (wire < plane.wires)
        seen &= (tick >= 0) & (tick < detector.ticks)
        keys.append((plane.first + wire[seen]) * detector.ticks + tick[seen])
        electrons.append(clouds.electrons[seen])
        kinds.append(clouds.kind[seen])
    key = np.concatenate(keys).astype(np.int64)
    order = np.argsort(key, kind="stable")
    return Arrivals(key[order], np.concatenate(electrons)[order].astype(np.float32), np.concatenate(kinds)[order])


def digitise(detector: Detector, arrivals: Arrivals, noise: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """The waveforms, counts, shape (channels, ticks), with white noise of that RMS in counts."""
    adc = np.empty((detector.channels, detector.ticks), np.uint16)
    for plane in detector.planes:
        counts = rng.standard_normal((plane.wires, detector.ticks), np.float32)
        counts *= noise
        counts += PEDESTAL[plane.view]
        _add_signals(counts, detector, plane, arrivals)
        np.clip(np.rint(counts, out=counts), 0, FULL_SCALE, out=counts)
        adc[plane.channels] = counts
    return adc


def _add_signals(counts: NDArray[np.float32], detector: Detector, plane: Plane, arrivals: Arrivals) -> None:
    """Add the response to the charge on channels that have some."""
    first, last = np.searchsorted(arrivals.key, np.array([plane.first, plane.first + plane.wires]) * detector.ticks)
    key = arrivals.key[first:last] - plane.first * detector.ticks
    wires, row = np.unique(key // detector.ticks, return_inverse=True)
    shape = (len(wires), detector.ticks)
    cells = row * detector.ticks + key % detector.ticks
    charge = np.bincount(cells, arrivals.electrons[first:last], shape[0] * shape[1]).reshape(shape)
    spectrum = np.fft.rfft(charge, axis=1) * transfer(plane.view, detector.ticks)
    counts[wires] += np.fft.irfft(spectrum, detector.ticks, axis=1).astype(np.float32)


class WireReadout(Producer):
    """Simulates the waveforms of all channels; `arrivals` is the truth behind them."""

    offload = True
    detector = Input[Detector]("detector")
    ionisation = Input[Ionisation]("ionisation")
    waveforms = Output[Waveforms]()
    arrivals = Output[Arrivals]()
    noise = Parameter(2.5, ge=0, doc="RMS of white noise, ADC counts")

    def produce(self, event: Event) -> None:
        detector, rng = event[self.detector], event.random(self)
        arrivals = arrivals_of(detector, drift(event[self.ionisation], rng))
        event[self.waveforms] = Waveforms(digitise(detector, arrivals, self.noise, rng), detector)
        event[self.arrivals] = arrivals
