"""The analytic model of inference as a service: what it gains, how many clients a GPU serves, and what that costs.

Equations of Wang et al. 2021 (arXiv:2009.04509) and Krupa et al. 2021 (arXiv:2007.10359); `eventbraid plan`.
"""

from eventbraid.studies.model.equations import (
    accelerated_fraction,
    ideal_seconds,
    replacement_ratio,
    saturated_seconds,
    saturation_ratio,
    sonic_seconds,
    transmit_seconds,
    travel_seconds,
)
from eventbraid.studies.model.estimate import Estimate
from eventbraid.studies.model.farm import Farm, Needs
from eventbraid.studies.model.measured import Measured, read_report
from eventbraid.studies.model.plan import Inputs, plan
from eventbraid.studies.model.prices import Hours, Prices
from eventbraid.studies.model.requests import Requests, device_seconds
from eventbraid.studies.model.table import render
from eventbraid.studies.model.workload import Workload

__all__ = [
    "Estimate",
    "Farm",
    "Hours",
    "Inputs",
    "Measured",
    "Needs",
    "Prices",
    "Requests",
    "Workload",
    "accelerated_fraction",
    "device_seconds",
    "ideal_seconds",
    "plan",
    "read_report",
    "render",
    "replacement_ratio",
    "saturated_seconds",
    "saturation_ratio",
    "sonic_seconds",
    "transmit_seconds",
    "travel_seconds",
]
