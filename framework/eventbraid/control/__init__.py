"""Status and steering of a running job over gRPC; the service is protos/eventbraid/job/v1/job.proto."""

from eventbraid.control.access import check_control_address
from eventbraid.control.client import Client, status, stop
from eventbraid.control.server import controlled

__all__ = ["Client", "check_control_address", "controlled", "status", "stop"]
