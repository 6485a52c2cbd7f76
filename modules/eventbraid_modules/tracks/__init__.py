"""Track finding as a service: a tracker, a graph network that finds its tracks, and a finder by rule beside it.

After Zhao et al., "Graph Neural Network-based track finding as a service with ACTS" (CHEP 2024), with the pipeline of
Ju et al. 2021 (arXiv:2103.06995).
"""

from eventbraid_modules.collisions import CollisionSource
from eventbraid_modules.tracks.finders import CombinatorialTracks, GnnTracks, ServedTracks, Tracks
from eventbraid_modules.tracks.hits import Hits, HitTruth
from eventbraid_modules.tracks.performance import TrackPerformance
from eventbraid_modules.tracks.simulation import Tracker

__all__ = [
    "CollisionSource",
    "CombinatorialTracks",
    "GnnTracks",
    "HitTruth",
    "Hits",
    "ServedTracks",
    "TrackPerformance",
    "Tracker",
    "Tracks",
]
