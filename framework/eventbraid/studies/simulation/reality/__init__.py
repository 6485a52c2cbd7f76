"""A study with real processes: clients that sleep where they would compute, and a server with emulated GPUs.

It is what `simulate` is held against, as far as this machine carries the clients: `make bench-crowd`.
"""

from eventbraid.studies.simulation.reality.calibrate import asking_seconds, calibrated
from eventbraid.studies.simulation.reality.enact import enact, enact_async
from eventbraid.studies.simulation.reality.job import client_job, write_job
from eventbraid.studies.simulation.reality.modules import Asks, ClientEvents, Works

__all__ = [
    "Asks",
    "ClientEvents",
    "Works",
    "asking_seconds",
    "calibrated",
    "client_job",
    "enact",
    "enact_async",
    "write_job",
]
