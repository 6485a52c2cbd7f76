"""For users' tests: sources, outputs and services that need no file and no server."""

from eventbraid.testing.outputs import ListOutput
from eventbraid.testing.sources import ListSource

__all__ = ["ListOutput", "ListSource"]
