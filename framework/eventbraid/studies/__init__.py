"""Studies: measure on any job what asynchronous processing and inference as a service gain."""

from eventbraid.studies.compare import compare, compare_async
from eventbraid.studies.comparison import Comparison, Figures, Spread
from eventbraid.studies.measurement import Measurement, Step
from eventbraid.studies.sameness import Difference

__all__ = ["Comparison", "Difference", "Figures", "Measurement", "Spread", "Step", "compare", "compare_async"]
