"""Studies: measure on any job what asynchronous processing and inference as a service gain."""

from eventbraid.studies.compare import compare, compare_async
from eventbraid.studies.comparison import Comparison
from eventbraid.studies.dataflow import Algorithm, Dataflow, read_dataflow, read_times
from eventbraid.studies.figures import Figures, Spread
from eventbraid.studies.measurement import Measurement, Step
from eventbraid.studies.offload import Offload
from eventbraid.studies.point import Point
from eventbraid.studies.replay import Replay, replay
from eventbraid.studies.sameness import Difference
from eventbraid.studies.study import Study, StudyOptions

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
