"""The books of a job: every event read is passed, failed or not selected; rows leave in the order of the events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eventbraid.errors import DataError, EventbraidError, ModuleError
from eventbraid.event import Event, EventID, PathResult, PathState
from eventbraid.outputs.base import OutputModule, Row
from eventbraid.plan import Plan

__all__ = ["Failure", "Ledger", "Rows"]

BATCH: Final = 64
"""Rows that are written at once, while the job runs."""
MOST_AHEAD: Final = 1024
"""Events that may have ended while an older one has not; then no new event is read."""
MOST_FAILURES: Final = 1000
"""Failures kept with their errors; later ones are only counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A module's error in an event."""

    number: int
    event: EventID
    error: ModuleError


class Rows:
    """Rows wait here until all older events have ended."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[tuple[int, Row], ...]] = {}
        self._next = 0
        self.due: list[tuple[int, Row]] = []

    @property
    def ahead(self) -> int:
        """Events that have ended while an older one has not."""
        return len(self._waiting)

    def event_ends(self, number: int, rows: tuple[tuple[int, Row], ...]) -> None:
        """The rows of an event, by output; `due` grows by what is now in order."""
        self._waiting[number] = rows
        while self._next in self._waiting:
            self.due.extend(self._waiting.pop(self._next))
            self._next += 1


class Ledger:
    """Counts, failures and rows of a job."""

    def __init__(self, plan: Plan, outputs: Sequence[OutputModule], streams: int) -> None:
        self._plan = plan
        self._labels = frozenset(plan.labels)
        self._outputs = outputs
        self._most_ahead = MOST_AHEAD + streams
        self._rows = Rows()
        self._collected: dict[int, list[tuple[int, Row]]] = {}
        self.walked_whole = 0
        """Events of which every module ran well and nothing was kept; where there are outputs `walked` counts them."""
        self._booked = self._passed = self.failed = 0
        self._paths = {path.name: dict.fromkeys(PathState, 0) for path in plan.paths}
        self.failures: list[Failure] = []
        self.errors = 0
        self.cancelled = 0
        """External work that was cancelled."""
        self.stopping: Failure | None = None
        """The earliest failure whose policy ends the job."""
        self.fatal: EventbraidError | None = None
        self._unwritable = False
        """An output failed: nothing is written any more. Where the source did, its events until then still are."""

    @property
    def writes(self) -> bool:
        """True when the job has outputs."""
        return bool(self._outputs)

    @property
    def full(self) -> bool:
        """True when no new event may be read until older ones have ended or rows are written."""
        rows = self._rows
        return rows.ahead >= self._most_ahead or len(rows.due) >= self._most_ahead

    @property
    def writing_due(self) -> bool:
        """True when there are enough rows to write."""
        return len(self._rows.due) >= BATCH

    def stopped_by(self, error: EventbraidError) -> None:
        """The source or an output failed: the job cannot go on."""
        self.fatal = self.fatal or error

    def collect(self, output: int, number: int, row: Row) -> None:
        """An output takes what it keeps of an event."""
        self._collected.setdefault(number, []).append((output, row))

    def walked(self, event: Event) -> None:
        """Book an event of which every module ran well, and nothing was kept."""
        self.walked_whole += 1
        if self._outputs:
            self._rows.event_ends(event.number, ())

    @property
    def read(self) -> int:
        """Events that have ended, each of which passed, failed or was not selected."""
        return self._booked + self.walked_whole

    @property
    def passed(self) -> int:
        """Events that passed a path; without paths those that ended well."""
        return self._passed + self.walked_whole

    @property
    def paths(self) -> dict[str, dict[PathState, int]]:
        """How many events ended in which state, for each path."""
        return {
            name: {
                state: count + (self.walked_whole if state is PathState.PASS else 0) for state, count in counts.items()
            }
            for name, counts in self._paths.items()
        }

    def book(
        self, event: Event, results: Mapping[str, PathResult], errors: Mapping[int, ModuleError], given_up: bool
    ) -> tuple[bool, bool]:
        """Book an event by its path results and the errors of its nodes; whether it passed, and failed.

        An event that was given up counts for no path: how far each had come is a matter of chance.
        """
        if not given_up:
            for name, result in results.items():
                self._paths[name][result.state] += 1
        passed = any(result.passed for result in results.values()) if results else True
        failed = given_up or (bool(errors) and (not passed or not results))
        passed = passed and not failed
        self._booked += 1
        self._passed += passed
        self.failed += failed
        for node in sorted(errors):
            self._blame(event, node, errors[node])
        if not self._outputs:
            return passed, failed
        rows = self._collected.pop(event.number, [])
        self._rows.event_ends(event.number, () if failed else tuple(sorted(rows, key=lambda row: row[0])))
        return passed, failed

    def _blame(self, event: Event, node: int, error: ModuleError) -> None:
        made = self._plan.nodes[node]
        if error.label != made.label and error.label in self._labels:
            return  # it is told where it was raised
        self.errors += 1
        failure = Failure(event.number, event.id, error)
        if made.on_error == "stop" and (self.stopping is None or event.number < self.stopping.number):
            self.stopping = failure
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(failure)

    async def write(self) -> None:
        """Write the rows that are due, in a thread; a failure becomes `fatal`."""
        rows, self._rows.due = self._rows.due, []
        if rows and not self._unwritable:
            await asyncio.to_thread(self._write, rows)

    def _write(self, rows: Sequence[tuple[int, Row]]) -> None:
        for number, output in enumerate(self._outputs):
            mine = [row for each, row in rows if each == number]
            if not mine:
                continue
            try:
                output.write(mine)
            except EventbraidError as error:
                self._unwritable = True
                self.stopped_by(error)
            except Exception as error:  # noqa: BLE001  # whatever the file system says
                self._unwritable = True
                self.stopped_by(output_failed(output, "writing", error))


def output_failed(output: OutputModule, doing: str, error: Exception) -> DataError:
    """An output's failure, in the user's words."""
    made = DataError(f"{output!r} failed {doing}: {type(error).__name__}: {error}")
    made.__cause__ = error
    return made
