"""Studies: measure on any job what asynchronous processing and inference as a service gain."""

from eventbraid.studies.comparison import (
    Comparison,
    Difference,
    Figures,
    Measurement,
    Point,
    Step,
    Study,
    StudyOptions,
    compare,
    compare_async,
)
from eventbraid.studies.replay import Algorithm, Dataflow, Offload, Replay, read_dataflow, read_times, replay
from eventbraid.studies.spread import Spread

__all__ = [
    "Algorithm",
    "Comparison",
    "Dataflow",
    "Difference",
    "Figures",
    "Measurement",
    "Offload",
    "Point",
    "Replay",
    "Spread",
    "Step",
    "Study",
    "StudyOptions",
    "compare",
    "compare_async",
    "read_dataflow",
    "read_times",
    "replay",
]
