"""Measures a study with real processes, by `eventbraid.studies.scale`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from eventbraid.errors import ConfigurationError, Fault
from eventbraid.serving.emulation import device_text
from eventbraid.studies.scale import Scaling, scale_async
from eventbraid.studies.simulation.reality.job import write_job
from eventbraid.studies.simulation.simulate import SETTLE
from eventbraid.studies.simulation.study import Study

__all__ = ["enact", "enact_async"]


def enact(study: Study, clients: Sequence[int], **settings: Any) -> Scaling:
    """Measure a study with so many clients each; see `enact_async`."""
    return asyncio.run(enact_async(study, clients, **settings))


async def enact_async(
    study: Study,
    clients: Sequence[int],
    *,
    settle: float = SETTLE,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Scaling:
    """Measure a study with so many clients each, and with one: every client is a process, the server is another.

    Clients sleep for their CPU times; the embedded server has emulated GPUs and the study's latency and bandwidth.
    Job file, models and finished points are kept in `folder`, a temporary one by default.

    Raises `ConfigurationError` for a study that one server on this machine cannot be.
    """
    if faults := list(_faults(study)):
        raise ConfigurationError(faults, "the study")
    server, client = study.servers[0], study.client
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as made:
        return await scale_async(
            write_job(study, Path(made)),
            clients,
            gpus=[server.device.gpus],
            device=device_text(replace(server.device, gpus=1, answers="zeros")),
            latency=server.network.latency,
            bandwidth=server.network.server,
            mode="blocking" if client.streams == 1 else "async",
            settle=settle,
            results=Path(made) / "points",
            say=say,
        )


def _faults(study: Study) -> Iterator[Fault]:
    """What real processes on this machine cannot be."""
    if len(study.servers) != 1:
        yield Fault("servers", f"must be one, not {len(study.servers)}: more are not started")
    if study.choice != "client":
        yield Fault("choice", f"the real client has no choice {study.choice!r}", "expected 'client'")
    for server in study.servers:
        where = f"server {server.name!r}"
        if server.failures:
            yield Fault(where, "fails, and the real one is not killed", "leave the failures out")
        if server.network.client is not None:
            yield Fault(where, "has a link for each client, which is not emulated", "give network.server")
        if server.max_requests is not None:
            yield Fault(where, "has max_requests, which is not passed on", "leave it out")
