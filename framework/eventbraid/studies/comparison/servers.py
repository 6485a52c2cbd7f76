"""The servers of a comparison: those that are named, or one that is started for each distance."""

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
from eventbraid.studies.servers import models_of, own_server, own_server_faults

__all__ = ["check_servers", "serving"]


def check_servers(job: Job, plan: Plan, points: Sequence[Point], bandwidth: float | None, device: str = "") -> None:
    """Raise `ConfigurationError` where the job's servers cannot be had as the points want them."""
    given = {
        "--distance": any(point.distance is not None for point in points),
        "--bandwidth": bandwidth is not None,
        "--device": bool(device),
    }
    faults = [*own_server_faults(job, plan, (option for option, is_given in given.items() if is_given))]
    if any(point.mode == "local" for point in points) and not models_of(plan):
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
    device: str,
    folder: Path,
    say: Callable[[str], None],
) -> AsyncGenerator[Mapping[Point, Sequence[str]]]:
    """What each point is to name as servers, beside the job's own.

    Where a job needs a server and none is named, an embedded one is started for each distance, for all runs. With a
    distance or a bandwidth no tensor takes the way of shared memory: it would not, to a server that is elsewhere.
    """
    own = not names_servers(job.servers, os.environ) and bool(models_of(plan))
    async with contextlib.AsyncExitStack() as stack:
        found: dict[float | None, Sequence[str]] = {}
        for distance in dict.fromkeys(point.distance for point in points if point.mode != "local"):
            found[distance] = given
            if own:
                found[distance] = await own_server(stack, job, distance, bandwidth, folder, say, device)
        yield {point: () if point.mode == "local" else found[point.distance] for point in points}
