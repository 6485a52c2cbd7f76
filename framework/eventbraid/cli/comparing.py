"""`eventbraid compare`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventbraid.cli.options import (
    Accelerators,
    Events,
    JobFile,
    Json,
    Seed,
    Servers,
    Settings,
    parse_accelerators,
    parse_distances,
    parse_numbers,
    parse_settings,
    writable,
    write_json,
    write_text,
)
from eventbraid.cli.showing import console
from eventbraid.errors import EventbraidError

if TYPE_CHECKING:
    from eventbraid.studies import Comparison, Study

__all__ = ["compare"]

INTERRUPTED = 130


def compare(
    job: JobFile,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            help="blocking, threads, async (braided) or local (the models in the job's own process); may be repeated",
            show_default="blocking and async",
        ),
    ] = None,
    events: Events = None,
    streams: Annotated[
        str | None,
        typer.Option(
            metavar="N,N", help="events in flight, several numbers for several points", show_default="the job's"
        ),
    ] = None,
    distance: Annotated[
        str | None,
        typer.Option(
            metavar="0ms,12ms",
            help="how far the server is that compare starts: each answer is so late",
            show_default="none",
        ),
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option(
            metavar="1Gbps", help="of the way to that server, in each direction", show_default="the machine's"
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="emulated:...", help="emulated GPUs of that server", show_default="none")
    ] = "",
    repeats: Annotated[int, typer.Option(min=1, help="runs of each point")] = 3,
    server: Servers = None,
    accelerators: Accelerators = None,
    seed: Seed = None,
    set_: Settings = None,
    output: Annotated[Path, typer.Option(metavar="PNG", help="the picture, or a folder for it")] = Path("compare.png"),
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="write all of it as one HTML page", callback=writable)
    ] = None,
    json: Json = None,
) -> None:
    """Run a job braided and blocking, in turn; show the gain, and that the products are the same."""
    from eventbraid.serving.embedded.calls.link import parse_bandwidth
    from eventbraid.studies import Study

    if report is not None:
        from eventbraid.studies.comparison.views.page import check

        check()
    study = Study(
        job,
        modes=mode or ("blocking", "async"),
        streams=parse_numbers(streams, "--streams") if streams is not None else None,
        distances=parse_distances(distance) if distance is not None else (),
        bandwidth=parse_bandwidth(bandwidth) if bandwidth is not None else None,
        device=device,
        events=events,
        repeats=repeats,
        servers=server or (),
        accelerators=parse_accelerators(accelerators),
        seed=seed,
        settings=parse_settings(set_),
        picture=output / "compare.png" if output.is_dir() else output,
    )
    try:
        comparison = asyncio.run(study.run())
    except (KeyboardInterrupt, EventbraidError) as error:
        if study.comparison is not None:
            _show(study, study.comparison, report, json)
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(INTERRUPTED) from None
        raise
    _show(study, comparison, report, json)
    if not comparison.identical:
        raise typer.Exit(1)


def _show(study: Study, comparison: Comparison, report: Path | None, json: Path | None) -> None:
    """On the terminal and in every file that was asked for."""
    from eventbraid.studies.comparison import render

    render(comparison, console(markup=True))
    write_json(comparison.to_dict(), json)
    if report is not None:
        from eventbraid.studies.comparison.views.page import page

        write_text(page(comparison, study.window), report)
        console().print(f"report: {report}")
    study.draw(comparison)
