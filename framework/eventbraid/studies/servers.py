"""The servers of a study: those that are named, or one that is started for each distance."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

from eventbraid.address import names_servers
from eventbraid.errors import ConfigurationError, Fault
from eventbraid.job import Job
from eventbraid.plan import Plan
from eventbraid.studies.comparison.point import Point, shown_seconds

__all__ = ["check_servers", "infers", "own_server", "serving"]


def check_servers(job: Job, plan: Plan, points: Sequence[Point], bandwidth: float | None) -> None:
    """Raise `ConfigurationError` where the job's servers cannot be had as the points want them."""
    asks, faults = infers(plan), list[Fault]()
    named = names_servers(job.servers, os.environ)
    network = {
        "--distance": any(point.distance is not None for point in points),
        "--bandwidth": bandwidth is not None,
    }
    for option in (name for name, given in network.items() if given):
        if not asks:
            faults.append(Fault(option, f"no module of job {job.name!r} asks an inference server"))
        elif named:
            hint = "leave out --server, servers and EVENTBRAID_SERVERS; or start it with `eventbraid serve --latency`"
            what = "is added only to a server that compare starts itself, and this job names servers"
            faults.append(Fault(option, what, hint))
    if any(point.mode == "local" for point in points) and not asks:
        faults.append(Fault("--mode local", f"no module of job {job.name!r} asks a model: it is the same as blocking"))
    if faults:
        raise ConfigurationError(faults, "compare")


def infers(plan: Plan) -> bool:
    """True when a module asks an inference server; what was never imported is in no plan."""
    if "eventbraid.inference" not in sys.modules:
        return False
    from eventbraid.inference import (
        InferenceFilter,
        InferenceProducer,
        RaggedInferenceFilter,
        RaggedInferenceProducer,
    )

    kinds = (InferenceProducer, InferenceFilter, RaggedInferenceProducer, RaggedInferenceFilter)
    return any(isinstance(node.module, kinds) for node in plan.nodes)


@contextlib.asynccontextmanager
async def serving(
    job: Job,
    given: Sequence[str],
    plan: Plan,
    points: Sequence[Point],
    bandwidth: float | None,
    folder: Path,
    say: Callable[[str], None],
) -> AsyncGenerator[Mapping[Point, Sequence[str]]]:
    """What each point is to name as servers, beside the job's own.

    Where a job needs a server and none is named, an embedded one is started for each distance, for all runs. With a
    distance or a bandwidth no tensor takes the way of shared memory: it would not, to a server that is elsewhere.
    """
    own = not names_servers(job.servers, os.environ) and infers(plan)
    async with contextlib.AsyncExitStack() as stack:
        found: dict[float | None, Sequence[str]] = {}
        for distance in dict.fromkeys(point.distance for point in points if point.mode != "local"):
            found[distance] = given
            if own:
                found[distance] = await own_server(stack, job, distance, bandwidth, folder, say)
        yield {point: () if point.mode == "local" else found[point.distance] for point in points}


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
    if distance is None and bandwidth is None:
        say(f"embedded server at {server.address} for all runs")
        return [server.address]
    away = "" if distance is None else f", {shown_seconds(distance)} away"
    through = "" if bandwidth is None else f", {shown_bandwidth(bandwidth)} each way"
    say(f"embedded server at {server.address}{away}{through}")
    name = f"embedded{away}"
    file = folder / f"server-{server.address.rpartition(':')[2]}.toml"
    file.write_text(f'[[server]]\nname = "{name}"\naddress = "{server.address}"\nshared_memory = false\n')
    return [str(file)]


def shown_bandwidth(bits: float) -> str:
    """Bits a second for people: 1 Gbps, 100 Mbps."""
    unit, scale = next((unit for unit in (("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3)) if bits >= unit[1]), ("bps", 1))
    return f"{bits / scale:g} {unit}"
