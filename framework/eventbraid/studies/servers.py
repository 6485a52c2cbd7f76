"""The server of a job that is measured: whether it asks one, and one of its own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from eventbraid.address import names_servers
from eventbraid.errors import Fault
from eventbraid.job import Job
from eventbraid.plan import Plan
from eventbraid.studies.units import shown_bandwidth, shown_seconds

__all__ = ["models_of", "own_server", "own_server_faults"]


def own_server_faults(job: Job, plan: Plan, options: Iterable[str]) -> Iterator[Fault]:
    """What stands against options of the server that a study starts: nothing asks it, or others are named."""
    for option in options:
        if not models_of(plan):
            yield Fault(option, f"no module of job {job.name!r} asks an inference server")
        elif names_servers(job.servers, os.environ):
            what = "is of the server that this command starts itself, and this job names servers"
            hint = "leave out --server, servers and EVENTBRAID_SERVERS; or give it to `eventbraid serve`"
            yield Fault(option, what, hint)


def models_of(plan: Plan) -> list[str]:
    """The models that modules ask, each once; what was never imported is in no plan."""
    if "eventbraid.inference" not in sys.modules:
        return []
    from eventbraid.inference import (
        InferenceFilter,
        InferenceProducer,
        RaggedInferenceFilter,
        RaggedInferenceProducer,
    )

    kinds = (InferenceProducer, InferenceFilter, RaggedInferenceProducer, RaggedInferenceFilter)
    return list(dict.fromkeys(node.module.model for node in plan.nodes if isinstance(node.module, kinds)))


async def own_server(
    stack: contextlib.AsyncExitStack,
    job: Job,
    distance: float | None,
    bandwidth: float | None,
    folder: Path,
    say: Callable[[str], None],
    device: str = "",
) -> Sequence[str]:
    """An embedded server for a job, as it is to be named, for as long as the stack is open."""
    from eventbraid.serving import EmbeddedServer, known_repositories

    server = EmbeddedServer(known_repositories(job.models), latency=distance or 0.0, bandwidth=bandwidth, device=device)
    await stack.enter_async_context(server)
    kind = f", {device}" if device else ""
    if distance is None and bandwidth is None:
        say(f"embedded server at {server.address}{kind}")
        return [server.address]
    away = "" if distance is None else f", {shown_seconds(distance)} away"
    through = "" if bandwidth is None else f", {shown_bandwidth(bandwidth)} each way"
    say(f"embedded server at {server.address}{kind}{away}{through}")
    name = f"embedded{away}"
    file = folder / f"server-{server.address.rpartition(':')[2]}.toml"
    file.write_text(f'[[server]]\nname = "{name}"\naddress = "{server.address}"\nshared_memory = false\n')
    return [str(file)]
