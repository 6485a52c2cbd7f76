"""The job control service, on the loop of the job that it controls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from eventbraid.address import check_address
from eventbraid.errors import ConfigurationError, need_extra
from eventbraid.event import PathState
from eventbraid.running import Run

__all__ = ["controlled", "status_reply"]


@asynccontextmanager
async def controlled(run: Run, address: str) -> AsyncGenerator[str]:
    """Offer the service at "host:port" while the job runs; gives the address, its port chosen where it was 0."""
    grpc = need_extra("grpc", "inference", "the job control service")
    generated = need_extra("eventbraid.control._pb.job_pb2_grpc", "inference", "the job control service")
    host, _, port = address.rpartition(":")
    if port != "0":
        check_address(address)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    generated.add_JobControlServicer_to_server(_servicer(generated, run), server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigurationError(f"{address} cannot be used: is another service there?", "--control") from error
    await server.start()
    try:
        yield f"{host}:{bound}"
    finally:
        await server.stop(grace=0.1)


def _servicer(generated: Any, run: Run) -> Any:
    messages = need_extra("eventbraid.control._pb.job_pb2", "inference", "the job control service")

    async def status(request: Any, context: Any) -> Any:
        return status_reply(run, messages)

    async def stop(request: Any, context: Any) -> Any:
        reason = request.reason or "asked to stop"
        return messages.StopReply(stopped=run.stop(reason), reason=run.reason)

    servicer: Any = generated.JobControlServicer()
    servicer.Status, servicer.Stop = status, stop
    return servicer


def status_reply(run: Run, messages: Any) -> Any:
    """What the job is doing now, as the service's message."""
    ledger = run.ledger
    reply = messages.StatusReply(
        job=run.job.name, mode=run.mode, streams=run.streams, stopping=run.reason, seconds=run.seconds
    )
    events = reply.events
    events.read, events.in_flight = ledger.read + run.in_flight, run.in_flight
    events.passed, events.failed = ledger.passed, ledger.failed
    events.not_selected = ledger.read - ledger.passed - ledger.failed
    events.per_second = ledger.read / run.seconds if run.seconds else 0.0
    for name, counts in ledger.paths.items():
        reply.paths.add(name=name, **{state.name.lower(): counts[state] for state in PathState})
    if run.timing is not None:
        for label, times in run.timing.by_label().items():
            reply.modules.add(
                label=label,
                calls=times.calls,
                cpu_seconds=times.cpu_seconds,
                external_seconds=times.external_seconds,
            )
    return reply
