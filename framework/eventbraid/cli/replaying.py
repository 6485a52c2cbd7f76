"""`eventbraid replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventbraid.cli.options import Json, write_json
from eventbraid.cli.showing import console

__all__ = ["replay"]


def replay(
    graph: Annotated[Path, typer.Argument(metavar="GRAPHML", help="the data flow, as Gaudi writes it")],
    times: Annotated[Path, typer.Option(metavar="JSON", help="seconds of each algorithm")],
    offload: Annotated[
        str | None, typer.Option(metavar="N:F", help="N algorithms are away for the fraction F of their time")
    ] = None,
    choose: Annotated[str, typer.Option(help="which are away: random or longest")] = "random",
    seed: Annotated[int, typer.Option(help="of the random choice")] = 1,
    scale: Annotated[float, typer.Option(help="what all times are multiplied with")] = 0.001,
    mode: Annotated[str, typer.Option(help="async (braided), blocking or all")] = "all",
    events: Annotated[int, typer.Option(help="how many events")] = 100,
    streams: Annotated[int, typer.Option(help="events in flight")] = 16,
    runs: Annotated[int, typer.Option(help="runs of each mode")] = 3,
    json: Json = None,
) -> None:
    """Play the data flow of another framework's job with stand-ins that burn CPU; show what braiding would give it."""
    from eventbraid.studies.replay import Offload, read_dataflow, read_times, render
    from eventbraid.studies.replay import replay as measure

    moved = Offload.parse(offload, choose, seed) if offload is not None else None
    dataflow, seconds = read_dataflow(graph), read_times(times)
    found = measure(dataflow, seconds, offload=moved, scale=scale, mode=mode, events=events, streams=streams, runs=runs)
    render(found, console(markup=True))
    write_json(found.to_dict(), json)
