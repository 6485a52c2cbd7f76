"""eventbraid: asynchronous event processing after CMSSW's model, with inference as a service.

The way of an event: `sources` (it enters), `intake`, `plan` (what must run), `scheduler` or `blocking` (it is
carried through the modules), `course` and `event` (its state and its products), `ledger`, `outputs` (it
leaves), `report`. What users write is in `module`, `external_work`, `inference` and `job`.
"""

from eventbraid.errors import (
    ConfigurationError,
    DataError,
    EventbraidError,
    MissingExtra,
    ModuleError,
    ProductError,
    ServerError,
)
from eventbraid.event import Event, EventID, Input, Output, PathResult, PathState
from eventbraid.external_work import ExternalFilter, ExternalProducer
from eventbraid.job import Job
from eventbraid.module import Analyzer, Figure, Filter, Producer
from eventbraid.parameters import Parameter
from eventbraid.report import Report
from eventbraid.section import Kept, Section
from eventbraid.switch import Alias, Switch

__all__ = [
    "Alias",
    "Analyzer",
    "ConfigurationError",
    "DataError",
    "Event",
    "EventID",
    "EventbraidError",
    "ExternalFilter",
    "ExternalProducer",
    "Figure",
    "Filter",
    "Input",
    "Job",
    "Kept",
    "MissingExtra",
    "ModuleError",
    "Output",
    "Parameter",
    "PathResult",
    "PathState",
    "Producer",
    "ProductError",
    "Report",
    "Section",
    "ServerError",
    "Switch",
]
__version__ = "0.1.0"
