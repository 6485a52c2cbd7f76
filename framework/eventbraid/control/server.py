"""Offers the job control service while a job runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from eventbraid.control.access import check_control_address
from eventbraid.control.service import WHY, Calls
from eventbraid.control.subject import Controlled
from eventbraid.errors import ConfigurationError, need_extra
from eventbraid.tokens import guard

__all__ = ["controlled"]

GRACE: Final = 0.5
"""Seconds that the end of a job is put off, at most, for a client that does not read what it is sent."""
NO_TOKEN: Final = "the job was started with a token, and {given} was given"
OPTIONS: Final = [
    ("grpc.so_reuseport", 0),
    # Clients that are gone without a word are found out, or their watches would last as long as the job.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


@asynccontextmanager
async def controlled(run: Controlled, address: str, token: str | None = None) -> AsyncGenerator[str]:
    """Offer the service at "host:port" while the job runs; gives the address, its port chosen where it was 0.

    It listens at that address only. With a token every call needs it; without one the address must be of this
    very machine, and whoever reaches it may stop the job.
    """
    grpc = need_extra("grpc", "inference", WHY)
    host = check_control_address(address, token).rpartition(":")[0]
    interceptors = [guard(token, NO_TOKEN)] if token is not None else []
    server = grpc.aio.server(options=OPTIONS, interceptors=interceptors)
    calls = Calls(run)
    calls.register(server)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigurationError(f"{address} cannot be used: is another service there?", "--control") from error
    await server.start()
    try:
        calls.begin()
        yield f"{host}:{bound}"
    finally:
        await calls.end()
        await server.stop(grace=GRACE)
