"""`eventbraid compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    parse_settings,
    write_json,
)
from eventbraid.cli.showing import console

__all__ = ["compare"]


def compare(
    job: JobFile,
    events: Events = None,
    streams: Streams = None,
    repeats: Annotated[int, typer.Option(min=1, help="runs of each mode")] = 3,
    server: Servers = None,
    accelerators: Accelerators = None,
    seed: Seed = None,
    set_: Settings = None,
    output: Annotated[Path, typer.Option(metavar="PNG", help="the picture, or a folder for it")] = Path("compare.png"),
    json: Json = None,
) -> None:
    """Run a job braided and blocking, in turn; show the gain, and that the products are the same."""
    from eventbraid.studies.compare import compare as measure

    comparison = measure(
        job,
        events=events,
        streams=streams,
        repeats=repeats,
        servers=server or (),
        accelerators=parse_accelerators(accelerators),
        seed=seed,
        settings=parse_settings(set_),
        picture=output / "compare.png" if output.is_dir() else output,
    )
    comparison.render(console(markup=True))
    write_json(comparison.to_dict(), json)
    if not comparison.identical:
        raise typer.Exit(1)
