"""A replay in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventbraid.studies.replay.replay import Replay

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["render"]


def render(replay: Replay, console: Console) -> None:
    """Print what was played, the table and the gain."""
    from rich.table import Table

    rounds = len(next(iter(replay.rates.values())))
    runs = "1 run" if rounds == 1 else f"{rounds} runs"
    work = f"{1000 * replay.cpu_seconds:.2f} ms of CPU and {1000 * replay.away_seconds:.2f} ms away"
    head = f"{replay.job}: {replay.events} events, {runs} a mode, async with {replay.streams} in flight"
    console.print(head, style="bold", highlight=False, markup=False)
    console.print(
        f"an event: {replay.algorithms} algorithms, {len(replay.away)} of them away, {work} (times x {replay.scale:g})",
        highlight=False,
    )
    table = Table()
    table.add_column("mode", no_wrap=True)
    for name in ("events/s", "of the bound", "of modules alone", "CPU"):
        table.add_column(name, justify="right", no_wrap=True)
    for mode in replay.rates:
        rate, share, cpu = replay.events_per_second(mode), replay.of_bound(mode), replay.cpu_share(mode)
        called = replay.of_called(mode)
        table.add_row(
            mode,
            f"{rate.median:,.1f}\n[dim]{rate.least:,.1f} - {rate.most:,.1f}[/]",
            f"{share.median:.3f}\n[dim]{share.least:.3f} - {share.most:.3f}[/]",
            f"{called.median:.3f}\n[dim]{called.least:.3f} - {called.most:.3f}[/]",
            f"{cpu.median:.0%}",
        )
    console.print(table)
    if gain := replay.speed_up:
        limit = f", at most {replay.limit:.2f} by the times given" if replay.limit else ""
        spread = f" ({gain.least:.2f} to {gain.most:.2f} in {rounds} pairs)" if rounds > 1 else " (one pair)"
        console.print(f"[bold]speed-up {gain.median:.2f}[/]{spread}{limit}", highlight=False)
