"""`eventbraid plan`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from eventbraid.cli.options import Json, write_json
from eventbraid.cli.showing import console
from eventbraid.durations import parse_duration
from eventbraid.errors import ConfigurationError, Fault

__all__ = ["plan"]

Value = TypeVar("Value")


class Texts:
    """Reads options; what is wrong with any of them is told together."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def read(self, option: str, text: str | None, parse: Callable[[str], Value]) -> Value | None:
        """The value of a text; None of none, and of a wrong one."""
        try:
            return None if text is None else parse(text)
        except ConfigurationError as error:
            self._faults += [Fault(option, each.what, each.hint) for each in error.faults]
            return None

    def check(self) -> None:
        """Raise `ConfigurationError` with all that was wrong."""
        if self._faults:
            raise ConfigurationError(self._faults, "eventbraid plan")


def plan(
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="what `eventbraid run --json FILE` wrote: its numbers are taken as measured"),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="CPU time of an event but for the module that goes to a server: 110s"),
    ] = None,
    module: Annotated[
        str | None, typer.Option(metavar="DURATION", help="CPU time of that module without a server: 220s")
    ] = None,
    packing: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="CPU time that it keeps: preparing requests, reading answers: 7s"),
    ] = None,
    on_cpu: Annotated[
        bool, typer.Option("--on-cpu", help="the report's server was a CPU core: its time is that without a server")
    ] = False,
    rows: Annotated[int | None, typer.Option(help="rows that an event has for the model")] = None,
    batch: Annotated[int | None, typer.Option(help="rows of a request", show_default="all in one")] = None,
    row_bytes: Annotated[float | None, typer.Option(help="size of a row")] = None,
    gpu_time: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="time of a GPU for an event: 1.8s", show_default="the report's"),
    ] = None,
    gpu_rate: Annotated[float | None, typer.Option(metavar="ROWS/S", help="or rows a second of a GPU")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="emulated:...", help="or a preset: emulated:t4, emulated:v100,gpus=4")
    ] = None,
    model: Annotated[str, typer.Option(help="its name; of the preset: emtrackmichelid, facile, ...")] = "",
    joined: Annotated[int | None, typer.Option(help="requests that the preset executes as one batch")] = None,
    bandwidth: Annotated[
        str | None, typer.Option(metavar="RATE", help="a client's link: 1Gbps", show_default="the report's network")
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="a request's way there and back: 12ms", show_default="the report's"),
    ] = None,
    server_bandwidth: Annotated[
        str | None, typer.Option(metavar="RATE", help="the link before all GPUs: 16Gbps", show_default="no limit")
    ] = None,
    gpus: Annotated[int | None, typer.Option(help="how many GPUs", show_default="1, or the device's")] = None,
    clients: Annotated[
        int | None, typer.Option(help="jobs of one core that share them", show_default="the most that do not queue")
    ] = None,
    streams: Annotated[
        int | None, typer.Option(help="events in flight; 1: clients block", show_default="the report's, or 1")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="EVENTS/S", help="show the clients and GPUs that so many events need")
    ] = None,
    events: Annotated[int, typer.Option(help="whose cost is shown")] = 1_000_000,
    cpu_price: Annotated[float | None, typer.Option(help="of a CPU core's hour")] = None,
    gpu_price: Annotated[float | None, typer.Option(help="of a GPU's hour")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="draw times and rate against the number of clients")
    ] = None,
    json: Json = None,
) -> None:
    """How many clients a GPU serves, and what a service gains and costs, before there is one.

    \b
    Measured: eventbraid run job.py --mode blocking --json run.json
              eventbraid plan --report run.json --gpus 4 --streams 16
    Given:    eventbraid plan --other 110s --module 220s --packing 7s --gpu-time 1.8s
    A preset: eventbraid plan --other 110s --rows 55000 --batch 1693 --device emulated:t4 --model emtrackmichelid

    \b
    Durations have a unit: ns, us, ms, s, min, h; link rates kbps, Mbps, Gbps.
    W in the table is Wang et al., arXiv:2009.04509; K Krupa et al., arXiv:2007.10359; see docs/plan.md.
    """
    from eventbraid.serving.embedded.calls.link import parse_bandwidth
    from eventbraid.serving.emulation import parse_device
    from eventbraid.studies.model import Inputs, render
    from eventbraid.studies.model import plan as make_plan
    from eventbraid.studies.model.picture import draw
    from eventbraid.studies.picture import check

    texts = Texts()
    other_seconds = texts.read("--other", other, parse_duration)
    module_seconds = texts.read("--module", module, parse_duration)
    packing_seconds = texts.read("--packing", packing, parse_duration)
    gpu_seconds = texts.read("--gpu-time", gpu_time, parse_duration)
    round_trip = texts.read("--latency", latency, parse_duration)
    link = texts.read("--bandwidth", bandwidth, parse_bandwidth)
    server_link = texts.read("--server-bandwidth", server_bandwidth, parse_bandwidth)
    spec = texts.read("--device", device, parse_device)
    texts.check()
    if plot is not None:
        check(plot)
    estimate = make_plan(
        Inputs(
            report=report,
            on_cpu=on_cpu,
            other=other_seconds,
            module=module_seconds,
            packing=packing_seconds,
            gpu_time=gpu_seconds,
            latency=round_trip,
            bandwidth=link,
            server_bandwidth=server_link,
            model=model,
            rows=rows,
            batch=batch,
            row_bytes=row_bytes,
            gpu_rate=gpu_rate,
            device=spec,
            joined=joined,
            gpus=gpus,
            clients=clients,
            streams=streams,
            rate=rate,
            events=events,
            cpu_price=cpu_price,
            gpu_price=gpu_price,
        )
    )
    render(estimate, console(markup=True))
    if plot is not None:
        draw(estimate, plot)
    write_json(estimate.to_dict(), json)
