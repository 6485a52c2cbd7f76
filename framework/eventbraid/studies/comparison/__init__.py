"""Compares the modes of a job: how much faster one is than another, why, and whether products are the same."""

from eventbraid.studies.comparison.compare import compare, compare_async
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.figures import Figures
from eventbraid.studies.comparison.measurement import Measurement, Step
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.comparison.sameness import Difference
from eventbraid.studies.comparison.study import Study, StudyOptions
from eventbraid.studies.comparison.views.table import render

__all__ = [
    "Comparison",
    "Difference",
    "Figures",
    "Measurement",
    "Point",
    "Step",
    "Study",
    "StudyOptions",
    "compare",
    "compare_async",
    "render",
]
