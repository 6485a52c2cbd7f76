"""Measures points one after the other, each with its clients started together, and keeps what is finished."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from eventbraid.address import names_servers
from eventbraid.errors import ConfigurationError, EventbraidError, Fault, nearest
from eventbraid.job import Job, Mode
from eventbraid.loading import load_job
from eventbraid.plan import make_plan
from eventbraid.serving.emulation import parse_device
from eventbraid.studies.model.measured import measure
from eventbraid.studies.scale.crowd import run_clients
from eventbraid.studies.scale.folder import Folder
from eventbraid.studies.scale.point import Point, point_of
from eventbraid.studies.scale.scaling import One, Scaling
from eventbraid.studies.servers import infers, own_server

__all__ = ["DEVICE", "scale", "scale_async"]

DEVICE: Final = "emulated:v100"
Told = Callable[[int, int, Point], None]
"""Told of each point: how many are finished, of how many, and the point."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def scale(job_file: str | Path, clients: Sequence[int], **settings: Any) -> Scaling:
    """Measure a job with growing numbers of clients; see `scale_async`. One SIGINT ends it with what is finished."""
    return asyncio.run(_interruptible(scale_async(job_file, clients, **settings)))


async def _interruptible(work: Any) -> Scaling:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, ValueError):  # Windows, and threads
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    found: Scaling = await task
    return found


async def scale_async(
    job_file: str | Path,
    clients: Sequence[int],
    *,
    gpus: Sequence[int] = (),
    device: str = "",
    latency: float = 0.0,
    bandwidth: float | None = None,
    servers: Sequence[str] = (),
    mode: Mode = "async",
    events: int | None = None,
    streams: int | None = None,
    accelerators: Sequence[str] | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    settle: float = 0.0,
    results: str | Path | None = None,
    say: Callable[[str], None] = _say,
    told: Told = lambda done, of, point: None,
) -> Scaling:
    """Run a job in so many client processes at once, for each of `clients` and of `gpus`.

    Clients begin together. They ask `servers`, the job's own, or for each number of `gpus` an embedded server with
    that many of the emulated `device`, at a distance of `latency` seconds and behind `bandwidth` bits a second.
    Rates and times leave out the first `settle`, a share of the time that all clients have in common.
    Finished points are kept in the folder `results` and are not measured again; by default that is
    `scale-NAME` for the file NAME.py. Cancelled while points are measured, it gives the finished ones.

    Raises `ConfigurationError` before anything runs, and `EventbraidError` with the words of a client that failed.
    """
    job = load_job(job_file).replace(
        events=events,
        streams=streams,
        servers=list(servers) or None,
        accelerators=accelerators,
        seed=seed,
        settings=settings,
    )
    emulated = bool(gpus or device)
    kinds: list[int | None] = [*sorted(set(gpus))] or ([1] if emulated else [None])
    _check(job, clients, gpus, mode, emulated or latency > 0 or bandwidth is not None)
    if not 0 <= settle < 1:
        raise ConfigurationError(f"must be a share from 0 to below 1, not {settle!r}", "settle")
    if emulated:
        parse_device(_emulated(device, kinds[0]))
    plan = make_plan(job)
    numbers = sorted({1, *clients})
    notes = [] if 1 in clients else ["one client was measured too: its times are the model's parameters"]
    request = {
        "job_file": str(job_file),
        "mode": mode,
        "events": events,
        "streams": streams,
        "accelerators": list(job.available()),
        "seed": job.seed,
        "settings": dict(settings or {}),
    }
    said = {**request, "servers": list(servers), "device": device, "latency": latency, "bandwidth": bandwidth}
    said |= {"settle": settle} if settle else {}
    folder = Folder(Path(results) if results else Path(f"scale-{Path(job_file).stem}"), said)
    points: list[Point] = []
    interrupted = False
    try:
        for number in kinds:
            missing = [count for count in numbers if folder.find(number, count) is None]
            async with contextlib.AsyncExitStack() as stack:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eventbraid-scale-")))
                at: Sequence[str] = servers
                if missing and infers(plan) and not names_servers(job.servers, os.environ):
                    away = latency or None
                    at = await own_server(stack, job, away, bandwidth, place, say, _emulated(device, number))
                for count in numbers:
                    if count in missing:
                        say(named(count, number))
                        crowd = await run_clients(count, {**request, "servers": list(at)}, place / str(count))
                        point = point_of(crowd.results, number, crowd.machine, settle)
                        folder.keep(point, crowd.results[0]["report"])
                    kept = folder.find(number, count)
                    assert kept is not None
                    points.append(kept[0])
                    told(len(points), len(kinds) * len(numbers), kept[0])
    except asyncio.CancelledError:
        interrupted = True
    in_flight = 1 if mode == "blocking" else job.streams
    one, more = _one(folder, points, in_flight)
    return Scaling(job.name, mode, in_flight, tuple(points), one, (*notes, *more), interrupted)


def named(clients: int, gpus: int | None) -> str:
    """A point in words."""
    said = f"{clients} client{'s' if clients > 1 else ''}"
    return said if gpus is None else f"{said}, {gpus} GPU{'s' if gpus > 1 else ''}"


def _check(job: Job, clients: Sequence[int], gpus: Sequence[int], mode: str, serves: bool) -> None:
    faults = [
        Fault(option, f"must be numbers from 1 on, not {number}")
        for option, numbers in (("--clients", clients), ("--gpus", gpus))
        for number in numbers
        if number < 1
    ]
    if mode not in get_args(Mode):
        faults.append(Fault("--mode", f"there is no mode {mode!r}", nearest(mode, get_args(Mode))))
    if not clients:
        faults.append(Fault("--clients", "names no number of clients", "--clients 1,2,5,10"))
    if serves and names_servers(job.servers, os.environ):
        faults.append(
            Fault("--gpus", "is of a server that this command starts, and the job's servers are named", "leave one out")
        )
    if faults:
        raise ConfigurationError(faults, "scale")


def _emulated(device: str, gpus: int | None) -> str:
    """The device of a server with so many GPUs; empty where it is this machine's CPU."""
    given = device or DEVICE
    return "" if gpus is None else f"{given}{',' if ':' in given else ':'}gpus={gpus}"


def _one(folder: Folder, points: Sequence[Point], streams: int) -> tuple[One | None, Sequence[str]]:
    """The model's parameters, from the first point with one client."""
    first = next((point for point in points if point.clients == 1), None)
    if first is None:
        return None, ()
    try:
        kept = folder.find(first.gpus, 1)
        assert kept is not None
        measured = measure(kept[1], Path("the report of one client"))
    except EventbraidError as error:
        return None, [f"no model beside: {error}"]
    if not measured.compute:
        return None, ["no model beside: the servers do not say for how long they computed"]
    event = 1 / first.events_per_second
    return One(event, event - first.module_seconds if streams == 1 else None, measured.compute), measured.notes
