"""`eventbraid status`, `where`, `drain`, `resume`, `streams`, `stop`: ask a running job, from another terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eventbraid.cli.options import TOKEN_VARIABLE, Json, write_json
from eventbraid.cli.showing import console, show_status, show_where

if TYPE_CHECKING:
    from eventbraid.control import Client

__all__ = ["Address", "Token", "client", "drain", "resume", "status", "stop", "streams", "where"]

Address: TypeAlias = Annotated[
    str, typer.Argument(metavar="HOST:PORT", help="what the job was given with --control", show_default=False)
]
Token: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TOKEN", envvar=TOKEN_VARIABLE, help="what the job was given with --control-token")
]


def client(address: str, token: str | None) -> Client:
    """Who asks the job at an address."""
    from eventbraid.control import Client

    return Client(address, token=token)


def status(address: Address, token: Token = None, json: Json = None) -> None:
    """Show what a running job is doing."""
    with client(address, token) as job:
        found = job.status()
    show_status(found)
    write_json(found, json)


def where(
    address: Address,
    limit: Annotated[int, typer.Option(min=0, max=1_000_000, help="how many, the oldest first; 0 for all")] = 20,
    token: Token = None,
    json: Json = None,
) -> None:
    """Show what the events in flight of a running job wait for."""
    with client(address, token) as job:
        found = job.where(limit)
    show_where(found)
    write_json(found, json)


def drain(
    address: Address,
    wait: Annotated[bool, typer.Option("--wait", help="return once nothing is in flight")] = False,
    token: Token = None,
    json: Json = None,
) -> None:
    """Let a running job finish what is in flight and wait; `resume` lets it go on."""
    with client(address, token) as job:
        found = job.drain()
        if wait:
            found["state"] = next(each["state"] for each in job.watch(0.2) if each["state"] != "draining")
    said = "" if found["held"] else "was told before: "
    console().print(f"{said}the job is {found['state']}")
    write_json(found, json)


def resume(address: Address, token: Token = None, json: Json = None) -> None:
    """Let a drained job read on."""
    with client(address, token) as job:
        found = job.resume()
    console().print("the job goes on" if found["resumed"] else "the job was not drained")
    write_json(found, json)


def streams(
    address: Address,
    number: Annotated[
        int | None, typer.Argument(metavar="N", help="events in flight at most", show_default="asks only")
    ] = None,
    token: Token = None,
    json: Json = None,
) -> None:
    """Change how many events a running job may have in flight, or show it."""
    with client(address, token) as job:
        found = {"streams": job.status()["streams"]} if number is None else job.set_streams(number)
    console().print(f"{found['streams']} events in flight at most")
    write_json(found, json)


def stop(
    address: Address,
    reason: Annotated[str, typer.Option(help="is shown in the job's status")] = "",
    after_lumi: Annotated[
        bool, typer.Option("--after-lumi", help="read the luminosity section to its end before")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="cancel what is in flight")] = False,
    token: Token = None,
    json: Json = None,
) -> None:
    """Let a running job read no more events and end in order."""
    with client(address, token) as job:
        found = job.stop(reason, after_lumi=after_lumi, cancel=cancel)
    does = "reads its luminosity section to the end" if after_lumi else "finishes what is in flight"
    said = f"the job {'cancels what is in flight' if cancel else does}"
    console().print(said if found["stopped"] or cancel else f"stopping already: {found['reason']}")
    write_json(found, json)
