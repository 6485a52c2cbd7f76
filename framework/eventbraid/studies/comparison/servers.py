"""The servers of a study: those that are named, or one that is started for each distance."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

from eventbraid.address import names_servers
from eventbraid.errors import ConfigurationError, Fault
from eventbraid.job import Job
from eventbraid.plan import Plan
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.servers import infers, own_server

__all__ = ["check_servers", "serving"]


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
