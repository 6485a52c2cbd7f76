"""Asks a running job, from another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventbraid.address import check_address
from eventbraid.errors import ServerTimeout, ServerUnavailable, need_extra

__all__ = ["status", "stop"]

WHY = "asking a running job"


def status(address: str, *, timeout: float = 5.0) -> dict[str, Any]:
    """What the job at "host:port" is doing: the fields of StatusReply as plain values.

    Raises `ServerUnavailable` where no job offers its control, `ServerTimeout` after `timeout` seconds.
    """
    messages = need_extra("eventbraid.control._pb.job_pb2", "inference", WHY)
    return _fields(_ask(address, lambda stub: stub.Status(messages.StatusRequest(), timeout=timeout)))


def stop(address: str, reason: str = "", *, timeout: float = 5.0) -> dict[str, Any]:
    """Let the job read no more events and end in order; `stopped` is False where it was stopping already."""
    messages = need_extra("eventbraid.control._pb.job_pb2", "inference", WHY)
    return _fields(_ask(address, lambda stub: stub.Stop(messages.StopRequest(reason=reason), timeout=timeout)))


def _ask(address: str, ask: Callable[[Any], Any]) -> Any:
    grpc = need_extra("grpc", "inference", WHY)
    generated = need_extra("eventbraid.control._pb.job_pb2_grpc", "inference", WHY)
    # A job is asked directly: gRPC would take the proxy of the environment even for this very machine.
    with grpc.insecure_channel(check_address(address), options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            return ask(generated.JobControlStub(channel))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ServerTimeout("the job did not answer in time", server=address) from None
            message = "no job offers its control here; start one with `eventbraid run --control HOST:PORT`"
            raise ServerUnavailable(message, server=address) from None


def _fields(message: Any) -> dict[str, Any]:
    """A message as a dictionary of all its fields; protobuf's own JSON would make its numbers strings."""
    return {field.name: _plain(getattr(message, field.name)) for field in message.DESCRIPTOR.fields}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    return _fields(value) if hasattr(value, "DESCRIPTOR") else [_plain(each) for each in value]
