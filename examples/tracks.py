"""Track finding as a service: hits of a tracker go to a server, which finds the tracks with a graph network."""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules.tracks import CollisionSource, ServedTracks, Tracker, TrackPerformance

job = Job(
    "tracks",
    source=CollisionSource(events=100, seed=1, pileup=20),
    modules={
        "tracker": Tracker(collisions=21),
        "tracks": ServedTracks(
            model="tracks_gnn"
        ),  # or tracks_rule; in this process: GnnTracks(), CombinatorialTracks()
        "performance": TrackPerformance(),
    },
    outputs=[ParquetOutput("tracks.parquet", keep=["tracks"])],
    streams=8,
)
