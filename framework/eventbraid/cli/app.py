"""`eventbraid`: the commands together, and how errors are shown."""

from __future__ import annotations

import asyncio
import os
import sys

import typer

from eventbraid.cli.comparing import compare
from eventbraid.cli.inspecting import check, describe, graph
from eventbraid.cli.libraries import one_thread_each
from eventbraid.cli.models import models
from eventbraid.cli.planning import plan
from eventbraid.cli.replaying import replay
from eventbraid.cli.running import run
from eventbraid.cli.scaling import scale
from eventbraid.cli.serving import serve
from eventbraid.cli.showing import show_error
from eventbraid.cli.steering import drain, resume, status, stop, streams, where
from eventbraid.cli.top import top
from eventbraid.errors import EventbraidError

__all__ = ["app", "main"]

app = typer.Typer(
    name="eventbraid",
    help="Event processing for physicists, with events braided around remote inference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    run,
    compare,
    replay,
    scale,
    plan,
    check,
    describe,
    graph,
    serve,
    status,
    top,
    where,
    drain,
    resume,
    streams,
    stop,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(models)


def main() -> None:
    """Run a command; an error of the user's, of a server's or of the data is shown without a traceback."""
    serves = sys.argv[1:2] == ["serve"]  # models may use all cores
    if not serves and "numpy" not in sys.modules:  # it reads the environment once
        one_thread_each(os.environ)
    try:
        app()
    except EventbraidError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
