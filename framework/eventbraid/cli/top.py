"""`eventbraid top`: a running job, looked at again and again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventbraid.cli.picture import WHERE_ROWS, picture
from eventbraid.cli.showing import console
from eventbraid.cli.steering import Address, Token, client

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["top"]


def top(
    address: Address,
    interval: Annotated[float, typer.Option(min=0.1, max=60.0, help="seconds between two looks")] = 1.0,
    token: Token = None,
) -> None:
    """Look at a running job until it ends, or until Ctrl-C."""
    out = console(stderr=False)
    out.soft_wrap = False
    last: Mapping[str, Any] = {"state": ""}
    try:
        with client(address, token) as job, _screen(out, address) as show:
            for last in job.watch(interval, where=WHERE_ROWS):
                show(last)
    except KeyboardInterrupt:
        out.print(f"the job goes on; `eventbraid top {address}` shows it again")
        return
    events = last["events"]
    counts = f"{events['read']} events read, {events['passed']} passed, {events['failed']} failed"
    out.print(f"the job has ended after {last['seconds']:.1f} s: {counts}")


@contextmanager
def _screen(out: Console, address: str) -> Generator[Callable[[Mapping[str, Any]], None]]:
    """What shows a status: over the one before on a terminal, else below it."""
    from rich.live import Live
    from rich.text import Text

    if not out.is_terminal:
        yield lambda status: out.print(picture(status, status["where"], width=out.width), "")
        return
    with Live(Text(f"asking {address}"), console=out, auto_refresh=False) as live:
        live.refresh()

        def show(status: Mapping[str, Any]) -> None:
            width, height = out.size
            live.update(picture(status, status["where"], width=width, height=height - 1), refresh=True)

        yield show
