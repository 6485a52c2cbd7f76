"""System shared memory: tensors of requests to servers of this host are not copied through a connection."""

from eventbraid.inference.memory.lending import Loan, SharedMemory
from eventbraid.inference.memory.places import Place, Span
from eventbraid.inference.memory.pool import Pool
from eventbraid.inference.memory.regions import Region, sweep
from eventbraid.inference.memory.registrations import Call, Registrations

__all__ = ["Call", "Loan", "Place", "Pool", "Region", "Registrations", "SharedMemory", "Span", "sweep"]
