"""A study's points with what the analytic model says beside, as a table and as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eventbraid.studies.model import saturation_ratio, sonic_seconds
from eventbraid.studies.saturation import KNEE_POINTS, Knee, knee_of, plateau
from eventbraid.studies.scale.point import Point
from eventbraid.studies.sentences import milliseconds

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FULL", "Expected", "One", "Scaling"]

RISEN: Final = 0.1
"""The share by which a module's time must rise to be no longer flat."""
FULL: Final = 0.9
"""The share of the machine's cores from which on clients wait for them."""


class One(NamedTuple):
    """Of one client alone: seconds of an event."""

    event: float
    """From one end to the next."""
    other: float | None
    """Beside the modules with external work; None of a client with several events in flight."""
    gpu: float
    """Of a server's computing."""


class Expected(NamedTuple):
    """What the analytic model says of a number of clients."""

    events_per_second: float
    module_seconds: float | None
    """None of clients with several events in flight: what a module adds to these is not what it takes."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The finished points of a study, by GPUs and then clients."""

    job: str
    mode: str
    streams: int
    points: tuple[Point, ...]
    one: One | None = None
    """What one client measured, the model's parameters; None where it is not known."""
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    def of(self, gpus: int | None) -> list[Point]:
        """The points with so many GPUs."""
        return [point for point in self.points if point.gpus == gpus]

    @property
    def gpus(self) -> list[int | None]:
        """The numbers of GPUs with a finished point."""
        return list(dict.fromkeys(point.gpus for point in self.points))

    def knee(self, gpus: int | None) -> Knee | None:
        """Where the module's time stops to be flat; None of too few points, or where it has not risen by a share."""
        mine = self.of(gpus)
        if len(mine) < KNEE_POINTS:
            return None
        found = knee_of([point.clients for point in mine], [point.module_seconds for point in mine])
        return found if found.slope * (mine[-1].clients - found.clients) > RISEN * found.flat else None

    def risen(self, gpus: int | None) -> int | None:
        """The first number of clients with which a module takes a share longer than with the fewest; None: none."""
        first, *more = self.of(gpus)
        most = (1 + RISEN) * first.module_seconds
        return next((point.clients for point in more if point.module_seconds > most), None)

    def plateau(self, gpus: int | None) -> float | None:
        """The rate above which more clients gain nothing, events a second; None where it still grows."""
        mine = self.of(gpus)
        return plateau([point.clients for point in mine], [point.events_per_second for point in mine])

    def expected(self, point: Point) -> Expected | None:
        """What Eq. 4 of Wang et al. 2021 (arXiv:2009.04509) gives for a point; None where there is no model."""
        if self.one is None:
            return None
        seconds = float(sonic_seconds(self.one.event, self.one.gpu, point.clients, point.gpus or 1))
        other = self.one.other
        return Expected(point.clients / seconds, None if other is None else seconds - other)

    def saturation(self, gpus: int | None) -> float | None:
        """The clients from which on the model has the GPUs full; None where there is no model."""
        return None if self.one is None else (gpus or 1) * saturation_ratio(self.one.event, self.one.gpu)

    def full(self) -> list[Point]:
        """Points at which this machine was full: they say more of it than of the servers."""
        return [point for point in self.points if (point.machine or 0.0) > FULL]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries."""
        return {
            "job": self.job,
            "mode": self.mode,
            "streams": self.streams,
            "interrupted": self.interrupted,
            "notes": list(self.notes),
            "points": [
                {**asdict(point), "expected": expected._asdict() if (expected := self.expected(point)) else None}
                for point in self.points
            ],
            "gpus": [
                {
                    "gpus": gpus,
                    "knee_clients": knee.clients if (knee := self.knee(gpus)) else None,
                    "risen_clients": self.risen(gpus),
                    "plateau_events_per_second": self.plateau(gpus),
                    "expected_saturation_clients": self.saturation(gpus),
                }
                for gpus in self.gpus
            ],
        }

    def render(self, console: Console) -> None:
        """Print the table, and where the servers are full."""
        from rich.table import Table

        streams = "one event in flight" if self.streams == 1 else f"{self.streams} events in flight each"
        table = Table(title=f"{self.job}: clients in mode {self.mode}, {streams}")
        heads = ("GPUs", "clients", "events/s", "of the\nmodel", "module\nmean", "of the\nmodel", "module\np95")
        for head in (*heads, "queue in\nserver", "machine"):
            table.add_column(head, justify="right", no_wrap=True)
        for point in self.points:
            expected = self.expected(point)
            rate, time = (expected.events_per_second, expected.module_seconds) if expected else (None, None)
            table.add_row(
                str(point.gpus or ""),
                str(point.clients),
                f"{point.events_per_second:.4g}",
                _ratio(point.events_per_second, rate),
                milliseconds(point.module_seconds),
                _ratio(point.module_seconds, time),
                milliseconds(point.module_p95),
                "" if point.server_queue is None else milliseconds(point.server_queue),
                "" if point.machine is None else f"{point.machine:.0%}",
            )
        console.print(table)
        for line in self._lines():
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _lines(self) -> Sequence[str]:
        lines: list[str] = []
        for gpus in self.gpus:
            where = "" if gpus is None else f"{gpus} GPU{'s' if gpus > 1 else ''}: "
            knee, risen, top = self.knee(gpus), self.risen(gpus), self.plateau(gpus)
            if knee is not None:
                said = f"the module's time is flat up to {knee.clients:.0f} clients"
            elif risen is not None:
                said = f"with {risen} clients the module takes a tenth longer"
            else:
                said = "the module's time has not risen by a tenth"
            if (full := self.saturation(gpus)) is not None:
                said += f" (the model: the servers are full from {full:.0f} on)"
            lines.append(where + said + ("" if top is None else f"; saturated at {top:.4g} events/s"))
        if busy := self.full():
            lines.append(
                f"note: {', '.join(str(point.clients) for point in busy)} clients found this machine's cores full: "
                "their figures are more the machine's than the servers'"
            )
        lines += [f"note: {note}" for note in self.notes]
        if self.interrupted:
            lines.append("interrupted: the same command goes on with what is missing")
        return lines


def _ratio(found: float, expected: float | None) -> str:
    return f"{found / expected:.2f}" if expected else ""
