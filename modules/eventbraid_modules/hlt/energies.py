"""The energy of every channel: FACILE as a service, or a template fit on the CPU that can take its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.hlt.digitizer import PEDESTAL_FC, HcalDigis
from eventbraid_modules.hlt.geometry import GAIN
from eventbraid_modules.hlt.pulse import NOMINAL

__all__ = ["FacileEnergies", "TemplateEnergies", "fit_template"]


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


def fit_template(charge: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """Energies, GeV, shape (channels,), of charges, fC, shape (channels, 8): least squares with the nominal pulse."""
    weights = NOMINAL / float(NOMINAL @ NOMINAL)
    fitted: NDArray[np.float32] = ((charge - np.float32(PEDESTAL_FC)) @ weights) * gain
    return fitted


class TemplateEnergies(Producer):
    """The energy of every HCAL channel by a template fit: the rule-based alternative to FACILE."""

    digis = Input[HcalDigis]("hcalDigis")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (channels,)
    floor = Parameter(0.0, ge=0, doc="energies below this are set to zero, GeV")

    def produce(self, event: Event) -> None:
        energies = fit_template(event[self.digis].charge, GAIN)
        event[self.energies] = np.where(energies < self.floor, np.float32(0), energies)
