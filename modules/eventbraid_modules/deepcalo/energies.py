"""The energy of every electron: DeepCalo as a service, or calibrated sums of cells on the CPU in its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.deepcalo.calibration import calibrated, layer_sums
from eventbraid_modules.deepcalo.images import Images

__all__ = ["DeepCaloEnergies", "SummedEnergies"]


class DeepCaloEnergies(InferenceProducer):
    """Regress the energy of electrons with DeepCalo, as a service (arXiv:2007.10359, section 4.2)."""

    images = Input[Images]("images")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (electrons,)

    async def acquire(self, event: Event) -> Tensors:
        return {"image": event[self.images].pixels}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.energies] = response["energy"][:, 0]


class SummedEnergies(Producer):
    """The energy of electrons by calibrated sums of cells: the rule-based alternative to DeepCalo."""

    images = Input[Images]("images")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (electrons,)

    def produce(self, event: Event) -> None:
        images = event[self.images]
        event[self.energies] = calibrated(layer_sums(images.pixels), images.eta)
