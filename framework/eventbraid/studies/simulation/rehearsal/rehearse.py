"""Runs a study with the real scheduler, client and batcher, each client and each server a process of one world."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import process_time
from typing import Any, Final

from eventbraid.errors import ConfigurationError
from eventbraid.inference.servers.given import Server
from eventbraid.inference.triton import TritonClient
from eventbraid.running import run_async
from eventbraid.studies.simulation.chance import Beginning, beginnings, factors
from eventbraid.studies.simulation.log import Log, Spans
from eventbraid.studies.simulation.rehearsal.host import Host
from eventbraid.studies.simulation.rehearsal.modules import Events, job_of
from eventbraid.studies.simulation.rehearsal.transport import VirtualTransport
from eventbraid.studies.simulation.result import Result, result_of
from eventbraid.studies.simulation.simulate import SETTLE
from eventbraid.studies.simulation.study import Ask, Study
from eventbraid.testing.world import World

__all__ = ["rehearse"]

MEETING: Final = 10.0
"""Round trips until clients begin: before, they ask the servers what they have."""


def rehearse(study: Study, *, settle: float = SETTLE) -> Result:
    """The result of a study with all of the real code; raises `ConfigurationError` for another choice."""
    if study.choice != "client":
        raise ConfigurationError(f"the real client has no choice {study.choice!r}: expected 'client'", "the study")
    began = process_time()
    log, seconds = _run(study)
    return result_of(study, log, seconds, settle, process_time() - began)


def _run(study: Study) -> tuple[Log, float]:
    world, log = World(study.seed), Log()
    offset = MEETING * max(each.network.latency for each in study.servers) if study.servers else 0.0
    hosts = {each.name: Host(world, each, log, offset) for each in study.servers}
    row_bytes = {name: model.row_bytes for server in study.servers for name, model in server.models.items()}

    async def serve(host: Host) -> float:
        await host.start()
        return 0.0

    async def work(beginning: Beginning) -> float:
        loop = asyncio.get_running_loop()
        servers = [
            Server(f"{name}:8001", name=name, shared_memory=False, max_requests=host.server.max_requests)
            for name, host in hosts.items()
        ]
        client = TritonClient(servers, connect=lambda server: VirtualTransport(hosts[server.name]))
        for model in sorted({each.model for each in study.client.modules if isinstance(each, Ask)}):
            await client.metadata(model)
        await asyncio.sleep(offset + beginning.at - loop.time())
        job = job_of(study.client, client, factors(study.client, beginning.seed), log, row_bytes)
        await run_async(job, timing=False, listeners=[Events(log, study.client.events)])
        ended = loop.time()
        _count(log, await client.report())
        await client.aclose()
        return ended

    works = [(host.process, serve(host)) for host in hosts.values()]
    works += [(world.process(f"client {n}"), work(each)) for n, each in enumerate(beginnings(study))]
    ended = max(world.run(*works))
    _shift(log, offset)
    return log, ended - offset


def _count(log: Log, report: Mapping[str, Any]) -> None:
    for each in report.get("models", ()):
        log.failures.update(each["failures"])


def _shift(log: Log, offset: float) -> None:
    """Count the time from when clients may begin."""
    log.first_ends -= offset
    for spans in (log.events, log.calls, *log.modules.values(), *log.waiting.values()):
        _back(spans, offset)
    for batches in log.batches.values():
        for place in range(len(batches.ended)):
            batches.ended[place] -= offset


def _back(spans: Spans, offset: float) -> None:
    for times in (spans.began, spans.ended):
        for place in range(len(times)):
            times[place] -= offset
