"""Where events enter."""

from eventbraid.sources.base import Entry, Source
from eventbraid.sources.empty import EmptySource

__all__ = ["EmptySource", "Entry", "Source"]
