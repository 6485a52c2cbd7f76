"""`eventbraid run`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from eventbraid.cli.options import (
    TOKEN_VARIABLE,
    Accelerators,
    Events,
    Fallback,
    JobFile,
    Json,
    Seed,
    Servers,
    Settings,
    Streams,
    loaded,
    write_json,
)
from eventbraid.cli.showing import console, show_summary
from eventbraid.durations import parse_duration
from eventbraid.errors import EventbraidError
from eventbraid.job import Job, Mode
from eventbraid.plan import make_plan
from eventbraid.running import Run, Service
from eventbraid.running import run as run_job
from eventbraid.services.progress import Progress

__all__ = ["run"]


def run(
    job: JobFile,
    mode: Annotated[str, typer.Option(help="async (braided), blocking or threads")] = "async",
    events: Events = None,
    streams: Streams = None,
    server: Servers = None,
    accelerators: Accelerators = None,
    fallback: Fallback = None,
    seed: Seed = None,
    set_: Settings = None,
    control: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="offer the job control service there; off by default")
    ] = None,
    max_time: Annotated[
        str | None, typer.Option(metavar="DURATION", help="read no more events after that, as in 90s or 2h")
    ] = None,
    control_token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", envvar=TOKEN_VARIABLE, help="that callers of the job control need"),
    ] = None,
    timing: Annotated[bool, typer.Option(help="measure every module")] = True,
    json: Json = None,
) -> None:
    """Run a job and show its summary."""
    made = loaded(
        job,
        events=events,
        streams=streams,
        servers=server,
        accelerators=accelerators,
        fallback=fallback,
        seed=seed,
        settings=set_,
    )
    make_plan(made)  # every fault is told before the source is asked how much it has
    chosen: Mode = mode  # type: ignore[assignment]  # checked when the run is made, with the nearest name
    seconds = parse_duration(max_time) if max_time is not None else None
    services = [_control(control, control_token)] if control else []
    try:
        with Progress(_expected(made)) as progress:
            report = run_job(made, chosen, listeners=[progress], timing=timing, services=services, max_time=seconds)
    except EventbraidError as error:
        if error.report is not None:
            show_summary(error.report, told=error)
            write_json(error.report.to_dict(), json)
        raise
    show_summary(report)
    write_json(report.to_dict(), json)


def _expected(job: Job) -> int | None:
    """How many events there will be, if that is known."""
    known = [count for count in (job.events, job.source.count()) if count is not None]
    return min(known, default=None)


def _control(address: str, token: str | None) -> Service:
    from eventbraid.control import check_control_address, controlled

    check_control_address(address, token)

    @asynccontextmanager
    async def service(run: Run) -> AsyncGenerator[None]:
        async with controlled(run, address, token) as bound:
            console().print(f"job control at {bound}")
            yield

    return service
