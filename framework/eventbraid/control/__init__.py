"""Status and steering of a running job over gRPC; the service is protos/eventbraid/job/v1/job.proto."""

from eventbraid.control.access import check_control_address
from eventbraid.control.client import status, stop
from eventbraid.control.server import controlled

__all__ = ["check_control_address", "controlled", "status", "stop"]
