"""`eventbraid status` and `stop`: ask a running job, from another terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from eventbraid.cli.options import Json, write_json
from eventbraid.cli.showing import console, show_status

__all__ = ["status", "stop"]

Address = Annotated[str, typer.Argument(metavar="HOST:PORT", help="what the job was given with --control")]


def status(address: Address, json: Json = None) -> None:
    """Show what a running job is doing."""
    from eventbraid.control import status as ask

    found = ask(address)
    show_status(found)
    write_json(found, json)


def stop(
    address: Address, reason: Annotated[str, typer.Option(help="is shown in the job's status")] = "", json: Json = None
) -> None:
    """Let a running job read no more events and end in order."""
    from eventbraid.control import stop as ask

    found = ask(address, reason)
    console().print(
        "the job finishes what is in flight" if found["stopped"] else f"stopping already: {found['reason']}"
    )
    write_json(found, json)
