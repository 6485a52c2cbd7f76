"""Picks collisions with a top pair: a module of your own that asks a network of your own."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Filter, Input, Job, Output, Parameter
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.hlt import (
    CollisionSource,
    HcalDigitizer,
    JetFinder,
    MissingMomentum,
    TemplateEnergies,
    TowerMaker,
)
from shapes import EventShape


class TopScore(InferenceProducer):
    """Asks the network how likely a top pair is."""

    shape = Input[NDArray[np.float32]]("shape")
    score = Output[float]()  # from 0 to 1

    async def acquire(self, event: Event) -> Tensors:
        return {"shape": event[self.shape][None]}  # a batch of one event

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.score] = float(response["score"][0, 0])


class TopFilter(Filter):
    """Passes events that look like a top pair."""

    score = Input[float]("score")
    least = Parameter(0.5, ge=0, le=1, doc="the least score that passes")

    def filter(self, event: Event) -> bool:
        return event[self.score] >= self.least


modules = {
    "hcalDigis": HcalDigitizer(),
    "energies": TemplateEnergies(),
    "towers": TowerMaker(),
    "jets": JetFinder(),
    "missing": MissingMomentum(),
    "shape": EventShape(),
}
job = Job(
    "top pairs",
    source=CollisionSource(events=200, seed=1),
    modules={**modules, "score": TopScore(model="top"), "isTop": TopFilter()},
    paths={"top": ["isTop"]},
    models=[Path(__file__).parent / "models"],
    streams=16,
)
