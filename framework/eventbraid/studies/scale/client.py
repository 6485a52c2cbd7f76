"""One client of a crowd: a run of a job that begins its events when all the others are ready too.

`python -m eventbraid.studies.scale.client`, with a request as one line of JSON on standard input. It says "ready" on
standard output when all but the events is done, and begins with the next line that it gets. What the job prints goes
to standard error. The result is JSON in a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from eventbraid.errors import EventbraidError
from eventbraid.event import EventID
from eventbraid.loading import load_job
from eventbraid.loops import loop_factory
from eventbraid.running import Run
from eventbraid.services import Listener
from eventbraid.studies.outputs import redirected

__all__ = ["Recorder", "main"]


class Recorder(Listener):
    """Keeps when every event began and ended, and how long modules with external work had it.

    Times are of the clock that all processes of a machine share.
    """

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self._acquired: dict[tuple[int, int], float] = {}
        self.events: list[tuple[float, float]] = []
        self.modules: list[tuple[float, float]] = []
        """Beginning of acquire, end of the last step."""

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self._began[number] = time

    def step(self, node: int, step: str, number: int, start: float, stop: float, busy: float) -> None:
        if step == "acquire":
            self._acquired[node, number] = start
        elif step == self.steps_of[node] and (began := self._acquired.pop((node, number), None)) is not None:
            self.modules.append((began, stop))

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        self.events.append((self._began.pop(number), time))


@contextlib.asynccontextmanager
async def _together(ready: int) -> AsyncGenerator[None]:
    """Say that this client is ready, and wait for the word to begin."""
    os.write(ready, b"ready\n")
    if not await asyncio.to_thread(sys.stdin.readline):
        raise EventbraidError("the study has ended before this client began")
    yield


async def _run(request: dict[str, Any], ready: int) -> dict[str, Any]:
    job = load_job(request["job_file"]).replace(
        events=request["events"],
        streams=request["streams"],
        servers=request["servers"] or None,
        accelerators=request["accelerators"],
        seed=request["seed"],
        settings=request["settings"],
    )
    outputs, _ = redirected(job, Path(request["folder"]))
    recorder = Recorder()
    job = dataclasses.replace(job, outputs=outputs)
    run = Run(job, request["mode"], listeners=[recorder], services=[lambda run: _together(ready)])
    report = await run.run()
    return {"report": report.to_dict(), "events": recorder.events, "modules": recorder.modules}


def main() -> int:
    """Read the request, run, write the result or what went wrong."""
    ready = os.dup(1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            result = runner.run(_run(request, ready))
    except EventbraidError as error:
        result = {"error": str(error), "exit_code": error.exit_code}
    Path(request["result"]).write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
