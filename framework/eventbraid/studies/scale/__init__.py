"""Many clients of the same servers at once: throughput and module time against their number."""

from eventbraid.studies.saturation import Knee
from eventbraid.studies.scale.point import Point
from eventbraid.studies.scale.scaling import Scaling
from eventbraid.studies.scale.study import scale, scale_async

__all__ = ["Knee", "Point", "Scaling", "scale", "scale_async"]
