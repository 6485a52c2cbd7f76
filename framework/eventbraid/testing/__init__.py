"""For users' tests: sources and outputs that need no file, and servers and networks that misbehave on demand."""

from eventbraid.testing.disturbance import Disturbance
from eventbraid.testing.fault import Fault
from eventbraid.testing.network import FaultyNetwork
from eventbraid.testing.outputs import ListOutput
from eventbraid.testing.script import Script
from eventbraid.testing.server import FaultyServer
from eventbraid.testing.sources import ListSource

__all__ = ["Disturbance", "Fault", "FaultyNetwork", "FaultyServer", "ListOutput", "ListSource", "Script"]
