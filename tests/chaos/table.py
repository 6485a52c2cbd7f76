"""The table of the scenes that were played."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scene import Outcome

HEAD = ("scene", "events", "requests", "tries", "failed tries", "back in use after (longest)", "seconds")


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Its lines."""
    rows = [HEAD, *map(_row, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(outcome: Outcome) -> tuple[str, ...]:
    failed = ", ".join(f"{count} {code.lower()}" for code, count in sorted(outcome.failed.items())) or "0"
    back = f"{max(outcome.back):.3f} s of {len(outcome.back)}" if outcome.back else "-"
    numbers = (str(outcome.events), str(outcome.needed), str(outcome.tries))
    return (outcome.name, *numbers, failed, back, f"{outcome.seconds:.1f}")
