"""The track of every hit: by rule or by a graph network in this process, or by a server that does the whole of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import DirectoryPath

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid.errors import need_extra
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid_modules.tracks.finding import CombinatorialFinder, GraphFinder, TrackFinder
from eventbraid_modules.tracks.finding.detector import checked
from eventbraid_modules.tracks.hits import Hits

__all__ = ["NETWORKS", "CombinatorialTracks", "GnnTracks", "ServedTracks", "Tracks"]

NETWORKS: Final = Path(__file__).with_name("weights")
"""The networks that are shipped."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """The tracks of an event."""

    label: NDArray[np.int64]
    """For each hit the number of its track, from 0, and -1 for none, shape (hits,)."""

    def __len__(self) -> int:
        return int(self.label.max(initial=-1)) + 1


class _TracksHere(Producer):
    kind = "shared"
    offload = True
    hits = Input[Hits]("tracker.hits")
    tracks = Output[Tracks]()

    def _finder(self) -> TrackFinder:
        raise NotImplementedError

    def begin_job(self) -> None:
        self._find = self._finder()

    def produce(self, event: Event) -> None:
        event[self.tracks] = Tracks(self._find(event[self.hits].position))


class CombinatorialTracks(_TracksHere):
    """Finds tracks by rule: seeds that are followed outwards."""

    def _finder(self) -> TrackFinder:
        return CombinatorialFinder()


class GnnTracks(_TracksHere):
    """Finds tracks with the graph network, in this process."""

    networks = Parameter[DirectoryPath](NETWORKS, doc="the folder of filter.onnx and graph.onnx")

    def _finder(self) -> TrackFinder:
        need_extra("onnxruntime", "local", "finding tracks with a graph network")
        return GraphFinder(self.networks)


class ServedTracks(InferenceProducer):
    """Finds tracks as a service: hits in, labels out, whichever finder the model has (Zhao et al., CHEP 2024)."""

    hits = Input[Hits]("tracker.hits")
    tracks = Output[Tracks]()

    def acquire(self, event: Event) -> Tensors:
        position = event[self.hits].position
        checked(position)  # what is wrong with hits is told before they are sent
        return {"hits": position}

    def produce(self, event: Event, response: Tensors) -> None:
        label, hits = response["labels"], event[self.hits]
        if label.shape != (len(hits),):
            raise ValueError(f"the model gave labels of the shape {list(label.shape)} for {len(hits)} hits")
        event[self.tracks] = Tracks(label)
