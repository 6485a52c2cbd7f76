"""The job control service, on the loop of the job that it controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from eventbraid.address import check_address
from eventbraid.control.rate import EVERY, RecentRate
from eventbraid.errors import ConfigurationError, need_extra
from eventbraid.event import PathState
from eventbraid.running import Run

__all__ = ["check_control_address", "controlled", "status_reply"]


def check_control_address(address: str) -> str:
    """The address "host:port" as it is, where port 0 asks for a free one; raises `ConfigurationError`."""
    host, _, port = address.rpartition(":")
    try:
        check_address(f"{host}:1" if port == "0" else address)
    except ConfigurationError:
        expected = 'expected "host:port", as in "127.0.0.1:9000", where port 0 asks for a free one'
        raise ConfigurationError(f"{address!r} is no server address: {expected}", "--control") from None
    return address


@asynccontextmanager
async def controlled(run: Run, address: str) -> AsyncGenerator[str]:
    """Offer the service at "host:port" while the job runs; gives the address, its port chosen where it was 0.

    It listens at that address only and asks nobody who they are: whoever reaches it may stop the job.
    """
    grpc = need_extra("grpc", "inference", "the job control service")
    generated = need_extra("eventbraid.control._pb.job_pb2_grpc", "inference", "the job control service")
    host = check_control_address(address).rpartition(":")[0]
    rate = RecentRate()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    generated.add_JobControlServicer_to_server(_servicer(generated, run, rate), server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigurationError(f"{address} cannot be used: is another service there?", "--control") from error
    await server.start()
    loop, timer = asyncio.get_running_loop(), None

    def sample() -> None:
        nonlocal timer
        rate.sample(perf_counter(), run.ledger.read)
        timer = loop.call_later(EVERY, sample)

    try:
        sample()
        yield f"{host}:{bound}"
    finally:
        if timer is not None:
            timer.cancel()
        await server.stop(grace=0.1)


def _servicer(generated: Any, run: Run, rate: RecentRate) -> Any:
    messages = need_extra("eventbraid.control._pb.job_pb2", "inference", "the job control service")

    async def status(request: Any, context: Any) -> Any:
        return status_reply(run, messages, rate.per_second(perf_counter(), run.ledger.read))

    async def stop(request: Any, context: Any) -> Any:
        reason = request.reason or "asked to stop"
        return messages.StopReply(stopped=run.stop(reason), reason=run.reason)

    servicer: Any = generated.JobControlServicer()
    servicer.Status, servicer.Stop = status, stop
    return servicer


def status_reply(run: Run, messages: Any, recent_per_second: float = 0.0) -> Any:
    """What the job is doing now, as the service's message."""
    ledger = run.ledger
    reply = messages.StatusReply(
        job=run.job.name,
        mode=run.mode,
        streams=run.streams,
        state="stopping" if run.reason else "running",
        stopping=run.reason,
        seconds=run.seconds,
    )
    events = reply.events
    events.read, events.in_flight = ledger.read + run.in_flight, run.in_flight
    events.passed, events.failed = ledger.passed, ledger.failed
    events.not_selected = ledger.read - ledger.passed - ledger.failed
    events.per_second = ledger.read / run.seconds if run.seconds else 0.0
    events.recent_per_second = recent_per_second
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
