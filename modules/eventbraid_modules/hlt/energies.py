"""The energy of every channel: FACILE as a service, or a fit of pulses on the CPU that can take its place."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.hlt.digitizer import CROSSINGS, PEDESTAL_FC, HcalDigis
from eventbraid_modules.hlt.geometry import GAIN
from eventbraid_modules.hlt.pulse import SLICE_NS, pulse

__all__ = ["FacileEnergies", "TemplateEnergies", "fit_pulses"]

_pulses = pulse(SLICE_NS * np.array([0, *CROSSINGS], np.float32))
WEIGHTS: Final = np.linalg.pinv(_pulses.T)[0].astype(np.float32)
"""What each slice adds to the charge of the collision's own pulse, shape (8,)."""


class FacileEnergies(InferenceProducer):
    """Regress the energy of every HCAL channel with FACILE, as a service (arXiv:2007.10359, section 4.1)."""

    digis = Input[HcalDigis]("hcalDigis")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (channels,)
    floor = Parameter(0.0, ge=0, doc="energies below this are set to zero, GeV")

    async def acquire(self, event: Event) -> Tensors:
        return {"features": event[self.digis].features}

    async def produce(self, event: Event, response: Tensors) -> None:
        energies = response["energy"][:, 0]
        event[self.energies] = np.where(energies < self.floor, np.float32(0), energies)


def fit_pulses(charge: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """Energies, GeV, shape (channels,), of charges, fC, shape (channels, 8).

    Least squares of the nominal pulses of the collision and of the crossings beside, after CMS's Method 2.
    """
    fitted: NDArray[np.float32] = ((charge - np.float32(PEDESTAL_FC)) @ WEIGHTS) * gain
    return fitted


class TemplateEnergies(Producer):
    """The energy of every HCAL channel by a fit of pulses: the rule-based alternative to FACILE."""

    digis = Input[HcalDigis]("hcalDigis")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (channels,)
    floor = Parameter(0.0, ge=0, doc="energies below this are set to zero, GeV")

    def produce(self, event: Event) -> None:
        energies = fit_pulses(event[self.digis].charge, GAIN)
        event[self.energies] = np.where(energies < self.floor, np.float32(0), energies)
