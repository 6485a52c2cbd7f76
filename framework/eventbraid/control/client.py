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
    return _plain(_ask(address, lambda stub: stub.Status(messages.StatusRequest(), timeout=timeout)))


def stop(address: str, reason: str = "", *, timeout: float = 5.0) -> dict[str, Any]:
    """Let the job read no more events and end in order; `stopped` is False where it was stopping already."""
    messages = need_extra("eventbraid.control._pb.job_pb2", "inference", WHY)
    return _plain(_ask(address, lambda stub: stub.Stop(messages.StopRequest(reason=reason), timeout=timeout)))


def _ask(address: str, ask: Callable[[Any], Any]) -> Any:
    grpc = need_extra("grpc", "inference", WHY)
    generated = need_extra("eventbraid.control._pb.job_pb2_grpc", "inference", WHY)
    with grpc.insecure_channel(check_address(address)) as channel:
        try:
            return ask(generated.JobControlStub(channel))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ServerTimeout("the job did not answer in time", server=address) from None
            message = "no job offers its control here; start one with `eventbraid run --control HOST:PORT`"
            raise ServerUnavailable(message, server=address) from None


def _plain(message: Any) -> dict[str, Any]:
    convert = need_extra("google.protobuf.json_format", "inference", WHY)
    found: dict[str, Any] = convert.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
    return {name: _numbers(value) for name, value in found.items()}


def _numbers(value: Any) -> Any:
    """protobuf's JSON writes 64-bit numbers as strings; names are never digits only."""
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return int(value) if isinstance(value, str) and value.isdigit() else value
