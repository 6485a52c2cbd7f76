"""What the picture of a comparison shows: the steps of both modes as bars over the same stretch of time.

The stretch is as long as the braided job takes for the pictured events. Blocking mode starts with the same
event and shows how far it gets. Below the events stands the core: every module step of every event that
is in flight, so that one sees where it idles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from eventbraid.studies.comparison.measurement import Step, Window

__all__ = ["Bar", "Kind", "Panel", "bars", "covered", "make_panel", "panels"]

Kind: TypeAlias = Literal["cpu", "waiting", "external"]


class Bar(NamedTuple):
    """A stretch of time of a module, in seconds since the panel's start."""

    event: int
    label: str
    kind: Kind
    start: float
    stop: float


@dataclass(frozen=True, slots=True)
class Panel:
    """What one mode did in a stretch of time."""

    events: tuple[int, ...]
    """One row each, from above."""
    bars: tuple[Bar, ...]
    """Of these events."""
    core: tuple[Bar, ...]
    """CPU work of all events."""
    busy: float
    """The share of the time for which a module had the core."""


def bars(steps: Iterable[Step], origin: float, length: float) -> Iterator[Bar]:
    """Steps as bars cut to [origin, origin + length): first the core, then waiting; external work apart."""
    for step in steps:
        held = step.start if step.step == "external work" else min(step.start + step.busy, step.stop)
        rest: Kind = "external" if step.step == "external work" else "waiting"
        parts: tuple[tuple[Kind, float, float], ...] = (("cpu", step.start, held), (rest, held, step.stop))
        for kind, began, ended in parts:
            start, stop = max(began - origin, 0.0), min(ended - origin, length)
            if start < stop:
                yield Bar(step.event, step.label, kind, start, stop)


def covered(stretches: Iterable[tuple[float, float]]) -> float:
    """The time that at least one of the stretches covers."""
    total, reached = 0.0, float("-inf")
    for start, stop in sorted(stretches):
        total += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return total


def make_panel(steps: Sequence[Step], first: int, rows: int, origin: float, length: float) -> Panel:
    """What the events from `first` on, at most `rows` of them, and the core did from `origin` on."""
    inside = list(bars(steps, origin, length))
    shown = sorted({bar.event for bar in inside if bar.event >= first})[:rows]
    core = tuple(bar for bar in inside if bar.kind == "cpu")
    return Panel(
        events=tuple(shown),
        bars=tuple(bar for bar in inside if bar.event in set(shown)),
        core=core,
        busy=covered((bar.start, bar.stop) for bar in core) / length if length else 0.0,
    )


def panels(blocking: Sequence[Step], braided: Sequence[Step], window: Window) -> tuple[Panel, Panel, float]:
    """Both panels and the length of their time axis in seconds."""
    shown = [step for step in braided if window.first <= step.event < window.last]
    origin = min((step.start for step in shown), default=0.0)
    length = 1.01 * (max((step.stop for step in shown), default=1e-3) - origin)
    began = min((step.start for step in blocking if step.event >= window.first), default=0.0)
    rows = window.last - window.first
    return (
        make_panel(blocking, window.first, rows, began, length),
        make_panel(braided, window.first, rows, origin, length),
        length,
    )
