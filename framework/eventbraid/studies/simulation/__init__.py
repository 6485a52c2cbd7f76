"""Inference as a service at scale, simulated: thousands of clients and hundreds of GPUs on one core.

The decisions are the framework's own; only time and what takes it are simulated. See docs/simulation.md.
"""

from eventbraid.serving.embedded.models.batching import Batching
from eventbraid.studies.saturation import Knee, knee_of
from eventbraid.studies.simulation.closed_form import ClosedForm
from eventbraid.studies.simulation.result import Result, ServerUse, Times
from eventbraid.studies.simulation.simulate import simulate, sweep
from eventbraid.studies.simulation.study import Ask, Client, Failure, Model, Network, Server, Study, Work

__all__ = [
    "Ask",
    "Batching",
    "Client",
    "ClosedForm",
    "Failure",
    "Knee",
    "Model",
    "Network",
    "Result",
    "Server",
    "ServerUse",
    "Study",
    "Times",
    "Work",
    "knee_of",
    "simulate",
    "sweep",
]
