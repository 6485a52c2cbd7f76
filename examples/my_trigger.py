import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Filter, Input, Job, Output, Parameter
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.hlt import CollisionSource, HcalDigis, HcalDigitizer, JetFinder, Jets, TowerMaker


class MyEnergies(InferenceProducer):
    """Regress the energy of every HCAL channel with FACILE, as a service."""

    digis = Input[HcalDigis]("hcalDigis")  # default label, can be set in the job
    energies = Output[NDArray[np.float32]]()  # GeV, shape (channels,)
    floor = Parameter(0.0, ge=0, doc="energies below this are set to zero, GeV")

    async def acquire(self, event: Event) -> Tensors:
        return {"features": event[self.digis].features}

    async def produce(self, event: Event, response: Tensors) -> None:
        energies = response["energy"][:, 0]
        event[self.energies] = np.where(energies < self.floor, 0, energies)


class TwoJets(Filter):
    """Passes events with two jets."""

    jets = Input[Jets]("jets")
    pt = Parameter(30.0, gt=0, doc="threshold, GeV")

    async def filter(self, event: Event) -> bool:
        return int((event[self.jets].pt > self.pt).sum()) >= 2


job = Job(
    "my trigger",
    source=CollisionSource(events=200, seed=1),
    modules={
        "hcalDigis": HcalDigitizer(),
        "facile": MyEnergies(model="facile"),
        "towers": TowerMaker(energies="facile"),
        "jets": JetFinder(),
        "twoJets": TwoJets(pt=40),
    },
    paths={"dijet": ["twoJets"]},
    streams=16,
)
