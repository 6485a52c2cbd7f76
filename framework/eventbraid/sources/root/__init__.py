"""Events from ROOT files: which files, what is in their trees, which products are made of it."""

from eventbraid.sources.root.products import Record
from eventbraid.sources.root.source import RootSource

__all__ = ["Record", "RootSource"]
