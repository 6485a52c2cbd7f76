"""One run of a job in a process of its own: a request as JSON on standard input, the result as JSON in a file.

`python -m eventbraid.studies.comparison.child`. Standard output is the user's: a job may print.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventbraid.errors import EventbraidError
from eventbraid.event import EventID
from eventbraid.loading import load_job
from eventbraid.outputs import OutputModule, Row
from eventbraid.plan import Plan
from eventbraid.services import Listener
from eventbraid.studies.comparison.measurement import Step
from eventbraid.studies.outputs import redirected

__all__ = ["Decisions", "Recorder", "main", "measure"]


class Recorder(Listener):
    """Keeps the latency of every event, and the steps of those with numbers in [first, last)."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._labels: tuple[str, ...] = ()
        self._origin = -1.0
        self._began: dict[int, float] = {}
        self.latencies: list[float] = []
        self.steps: list[Step] = []

    def job_begins(self, plan: Plan, mode: str, streams: int) -> None:
        self._labels = plan.labels

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        if self._origin < 0:
            self._origin = time
        self._began[number] = time

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        if self._first <= number < self._last:
            origin = self._origin
            self.steps.append(Step(number, self._labels[node], step, start - origin, stop - origin, busy))

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.latencies.append(time - self._began.pop(number))


class Decisions(OutputModule):
    """Keeps of each event how every path ended, and which module decided."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.found: list[tuple[str, ...]] = []

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            ends = (f"{end.state.value} by {end.decided_by}".removesuffix(" by ") for end in row.path_results.values())
            self.found.append((str(row.id), *ends))


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Run the job of a request; raises what the job raises."""
    local = request["local"]
    job = load_job(request["job_file"]).replace(
        events=request["events"],
        streams=request["streams"],
        servers=[] if local else request["servers"] or None,
        fallback="local" if local else None,
        accelerators=request["accelerators"],
        seed=request["seed"],
        settings=request["settings"],
    )
    outputs, files = redirected(job, Path(request["folder"]))
    decisions = Decisions()
    if job.paths:
        outputs.append(decisions)
    recorder = Recorder(*request["keep_steps"])
    report = dataclasses.replace(job, outputs=outputs).run(request["mode"], listeners=[recorder])
    written = report.to_dict()
    if job.paths:
        written["modules"].pop(f"output {len(outputs)} (Decisions)", None)  # the study's, not the job's
    return {
        "report": written,
        "latencies": recorder.latencies,
        "steps": recorder.steps,
        "decisions": decisions.found,
        "files": {name: str(file) for name, file in files.items()},
    }


def main() -> int:
    """Read the request, run, write the result or what went wrong."""
    request = json.load(sys.stdin)
    try:
        result = measure(request)
    except EventbraidError as error:
        result = {"error": str(error), "exit_code": error.exit_code}
    Path(request["result"]).write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
