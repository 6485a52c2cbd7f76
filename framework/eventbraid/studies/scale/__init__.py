"""Many clients of the same servers at once: throughput and module time against their number."""

from eventbraid.studies.scale.knee import flat_until, plateau
from eventbraid.studies.scale.point import Point
from eventbraid.studies.scale.scaling import Scaling
from eventbraid.studies.scale.study import scale, scale_async

__all__ = ["Point", "Scaling", "flat_until", "plateau", "scale", "scale_async"]
