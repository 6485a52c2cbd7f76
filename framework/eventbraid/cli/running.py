"""`eventbraid run`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Annotated

import typer

from eventbraid.cli.options import Events, JobFile, Json, Servers, Settings, Streams, loaded, write_json
from eventbraid.cli.showing import show_summary
from eventbraid.errors import EventbraidError
from eventbraid.job import Mode
from eventbraid.running import Run, Service
from eventbraid.running import run as run_job
from eventbraid.services.progress import Progress

__all__ = ["run"]


def run(
    job: JobFile,
    mode: Annotated[str, typer.Option(help="async (braided) or blocking")] = "async",
    events: Events = None,
    streams: Streams = None,
    server: Servers = None,
    set_: Settings = None,
    control: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="offer the job control service there; off by default")
    ] = None,
    timing: Annotated[bool, typer.Option(help="measure every module")] = True,
    json: Json = None,
) -> None:
    """Run a job and show its summary."""
    made = loaded(job, events=events, streams=streams, servers=server, settings=set_)
    total = made.events if made.events is not None else made.source.count()
    chosen: Mode = mode  # type: ignore[assignment]  # checked when the run is made, with the nearest name
    services = [_control(control)] if control else []
    try:
        report = run_job(made, chosen, listeners=[Progress(total)], timing=timing, services=services)
    except EventbraidError as error:
        if error.report is not None:
            show_summary(error.report)
            write_json(error.report.to_dict(), json)
        raise
    show_summary(report)
    write_json(report.to_dict(), json)


def _control(address: str) -> Service:
    def service(run: Run) -> AbstractAsyncContextManager[object]:
        from eventbraid.control import controlled

        return controlled(run, address)

    return service
