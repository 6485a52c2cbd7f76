"""Listeners: what is told about each step of a job. Nobody listening costs one check a step."""

from eventbraid.services.listener import Listener
from eventbraid.services.timing import ModuleTimes, Timing
from eventbraid.services.trace import Span, Trace

__all__ = ["Listener", "ModuleTimes", "Span", "Timing", "Trace"]
