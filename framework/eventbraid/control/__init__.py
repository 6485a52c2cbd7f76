"""Status and steering of a running job over gRPC; the service is protos/eventbraid/job/v1/job.proto."""

from eventbraid.control.client import status, stop
from eventbraid.control.server import controlled

__all__ = ["controlled", "status", "stop"]
