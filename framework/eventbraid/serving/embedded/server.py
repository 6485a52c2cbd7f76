"""The embedded server: the KServe v2 protocol over gRPC. For development, not production."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from eventbraid.errors import ConfigurationError, Fault
from eventbraid.serving.backends.base import Instance
from eventbraid.serving.backends.session import gpus_here
from eventbraid.serving.embedded.calls.budget import Budget, half_of_memory
from eventbraid.serving.embedded.calls.link import Link
from eventbraid.serving.embedded.calls.service import Service
from eventbraid.serving.embedded.calls.standard import Health, reflect
from eventbraid.serving.embedded.http2 import Http2Server
from eventbraid.serving.embedded.metrics import metrics
from eventbraid.serving.embedded.models.loaded import Make, Models, cpu_maker, makers
from eventbraid.serving.emulation import DeviceSpec
from eventbraid.serving.emulation.device import Device
from eventbraid.serving.emulation.spec import check_models
from eventbraid.serving.guarding import ServerTLS, interceptors
from eventbraid.serving.repository.layout import ModelEntry, Repository

__all__ = ["Options", "Serving", "serving"]

MOST_MESSAGE: Final = (1 << 31) - 1
"""Bytes of a message: protobuf allows no more."""
MOST_CALLS: Final = 10_000
"""Calls at once, beyond which the server refuses them."""
END_SECONDS: Final = 2.0
"""For models to end, once nothing is being answered."""
MOST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Options:
    """How the embedded server serves."""

    port: int = 0
    """0 chooses a free one."""
    threads: int = 1
    """Of one execution."""
    latency: float = 0.0
    """Seconds by which every answer is late."""
    bandwidth: float | None = None
    """Bits a second in each direction; None: what the machine has."""
    device: DeviceSpec | None = None
    """The emulated GPUs; None: what the machine has."""
    metrics_port: int | None = None
    """0 chooses a free one; None: no metrics."""
    most_memory: int = field(default_factory=half_of_memory)
    """Bytes of all requests at once."""
    grace: float = 30.0
    """Seconds for what is being answered when the server ends."""
    tls: ServerTLS | None = None
    token: str = ""

    def __post_init__(self) -> None:
        faults = [
            Fault("serve", f"{name} {port} is none", f"expected 0 to {MOST_PORT}")
            for name, port in (("port", self.port), ("metrics port", self.metrics_port or 0))
            if not 0 <= port <= MOST_PORT
        ]
        faults += [
            Fault("serve", f"{name} is {value}", f"expected {least} or more")
            for name, value, least in (
                ("threads", self.threads, 1),
                ("most_memory", self.most_memory, 1),
                ("grace", self.grace, 0),
            )
            if value < least
        ]
        if faults:
            raise ConfigurationError(faults, "serve")


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a server is."""

    port: int
    metrics_port: int


@asynccontextmanager
async def serving(repository: Repository, options: Options, disturbers: Sequence[Any] = ()) -> AsyncGenerator[Serving]:
    """Serve a repository on 127.0.0.1; at the end requests in flight are finished first.

    `disturbers` are gRPC's interceptors of those calls that are let in.
    """
    models = Models(repository, _maker(repository, options))
    budget = Budget(options.most_memory)
    await models.start()
    try:
        with metrics(models, options.metrics_port) as metrics_port:
            server = Http2Server(
                budget,
                [*interceptors(options.token), *disturbers],
                most_message=min(MOST_MESSAGE, options.most_memory),
                most_calls=MOST_CALLS,
            )
            Service(models, budget, Link(options.latency, options.bandwidth)).register(server)
            health = Health(server)
            reflect(server)
            await health.begin()
            bound = await _bind(server, options)
            try:
                yield Serving(bound, metrics_port)
            finally:
                await health.drain()
                await server.stop(grace=options.grace)
    finally:
        try:
            await asyncio.wait_for(models.stop(), END_SECONDS)
        except TimeoutError:
            logging.getLogger(__name__).warning("a model does not end what it executes, and is left")


def _maker(repository: Repository, options: Options) -> Make:
    """What makes the copies of a version: on this machine, or on emulated GPUs."""
    if options.device is None:
        gpus = gpus_here()
        return lambda entry, version: makers(entry, version, options.threads, gpus)
    check_models(options.device, [model.name for model in repository.models])
    device = Device(options.device, say=logging.getLogger(__name__).warning)

    def make(entry: ModelEntry, version: str) -> list[Callable[[], Instance]]:
        each = cpu_maker(entry, version, options.threads)
        return device.makers(entry.metadata, entry.config, entry.files[version], each)

    return make


async def _bind(server: Http2Server, options: Options) -> int:
    secure = None if options.tls is None else options.tls.context()
    try:
        return await server.start(options.port, secure)
    except OSError as error:
        what = f"port {options.port} cannot be used: is another server running there?"
        raise ConfigurationError(what, "serve") from error
