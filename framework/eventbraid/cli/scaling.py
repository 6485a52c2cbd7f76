"""`eventbraid scale`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from eventbraid.cli.options import (
    Accelerators,
    Events,
    JobFile,
    Json,
    Seed,
    Servers,
    Settings,
    Streams,
    parse_accelerators,
    parse_distances,
    parse_numbers,
    parse_settings,
    write_json,
)
from eventbraid.cli.showing import console
from eventbraid.errors import ConfigurationError

__all__ = ["scale"]


def scale(
    job: JobFile,
    clients: Annotated[str, typer.Option(metavar="N,N,...", help="how many client processes")] = "1,2,5,10",
    gpus: Annotated[
        str, typer.Option(metavar="N,N,...", help="emulated GPUs of the server that is started", show_default="none")
    ] = "",
    device: Annotated[
        str,
        typer.Option(
            metavar="emulated:...",
            help="their kind, and their number as in emulated:t4,gpus=2",
            show_default="emulated:v100 with --gpus",
        ),
    ] = "",
    distance: Annotated[
        str, typer.Option(metavar="20ms", help="of the server that is started: delay every answer by that much")
    ] = "0ms",
    bandwidth: Annotated[
        str | None, typer.Option(metavar="1Gbps", help="of its link, each way", show_default="the machine's")
    ] = None,
    server: Servers = None,
    mode: Annotated[str, typer.Option(help="of the clients: async, blocking or threads")] = "async",
    events: Events = None,
    streams: Streams = None,
    accelerators: Accelerators = None,
    seed: Seed = None,
    set_: Settings = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="where finished points are kept", show_default="scale-NAME for NAME.py"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="draw rate and module time")] = None,
    json: Json = None,
) -> None:
    """Run a job in many processes at once against one server: rate and module time against their number.

    The clients of a point begin together. Finished points are kept: the same command goes on with what is missing.

    \b
    eventbraid scale job.py --clients 1,2,5,10,20 --gpus 1,4 --mode blocking
    eventbraid scale job.py --clients 1,2,5 --server gpu1:8001
    """
    from eventbraid.serving.embedded.calls.link import parse_bandwidth
    from eventbraid.studies.picture import check
    from eventbraid.studies.scale import scale as measure
    from eventbraid.studies.scale.picture import draw

    if plot is not None:
        check(plot)
    with _progress() as shown:
        scaling = measure(
            job,
            parse_numbers(clients, "--clients"),
            gpus=parse_numbers(gpus, "--gpus") if gpus else (),
            device=device,
            latency=_distance(distance),
            bandwidth=None if bandwidth is None else parse_bandwidth(bandwidth),
            servers=server or (),
            mode=mode,
            events=events,
            streams=streams,
            accelerators=parse_accelerators(accelerators),
            seed=seed,
            settings=parse_settings(set_),
            results=results,
            **shown,
        )
    scaling.render(console(markup=True))
    write_json(scaling.to_dict(), json)
    if plot is not None and scaling.points:
        draw(scaling, plot)
    if scaling.interrupted:
        raise typer.Exit(130)


def _distance(text: str) -> float:
    """The seconds of --distance; raises `ConfigurationError` for anything else, several distances too."""
    seconds, *more = parse_distances(text)
    if more:
        raise ConfigurationError("of a study of clients is one: run it again for another", "--distance")
    return seconds


def _progress() -> Any:
    """A bar with the time left on a terminal, a line for each point elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext({})
    from contextlib import contextmanager

    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    @contextmanager
    def bar() -> Any:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console(), transient=True) as progress:
            task = progress.add_task("starting", total=None)

            def told(done: int, of: int, point: Any) -> None:
                progress.update(task, completed=done, total=of)

            def say(line: str) -> None:
                progress.update(task, description=line)

            yield {"say": say, "told": told}

    return bar()
