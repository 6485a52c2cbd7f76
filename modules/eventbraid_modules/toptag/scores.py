"""How much each jet looks like a top quark: a residual network as a service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Filter, Input, Output, Parameter
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.toptag.images import JetImages

__all__ = ["ResNetTagger", "TopFilter", "TopScores"]


@dataclass(frozen=True, slots=True)
class TopScores:
    """A score for each fat jet of an event."""

    score: NDArray[np.float32]
    """From 0 to 1, higher for jets that look like top quarks, shape (jets,)."""


class ResNetTagger(InferenceProducer):
    """Scores jets by their images with a residual network, as a service (arXiv:2007.10359, section 4.3).

    The model `toptag` is shipped and takes images of 32 x 32 pixels; `resnet50` takes 224 x 224, has the size of the
    paper's network and untrained weights, and is for timing.
    """

    images = Input[JetImages]("jetImages")
    scores = Output[TopScores]()

    async def acquire(self, event: Event) -> Tensors:
        return {"image": event[self.images].pixels}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.scores] = TopScores(response["score"][:, 0])


class TopFilter(Filter):
    """Passes events with enough jets that look like top quarks."""

    scores = Input[TopScores]("scores")
    count = Parameter(1, ge=1, doc="how many jets")
    score = Parameter(0.5, ge=0, le=1, doc="above this score")

    def filter(self, event: Event) -> bool:
        return int(np.count_nonzero(event[self.scores].score > self.score)) >= self.count
