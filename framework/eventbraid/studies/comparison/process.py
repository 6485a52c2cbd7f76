"""One run of a study, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eventbraid.address import SERVERS_VARIABLE
from eventbraid.errors import DataError, EventbraidError
from eventbraid.studies.comparison.measurement import Measurement, run_name
from eventbraid.studies.comparison.point import Point

__all__ = ["run_once"]


async def run_once(
    point: Point, repeat: int, request: Mapping[str, Any], servers: Sequence[str], place: Path
) -> Measurement:
    """Run the job of a request at a point, with its files below `place`, a folder that is made.

    Raises `EventbraidError` with the words of a run that failed. Cancelling ends the process.
    """
    await asyncio.to_thread(place.mkdir)
    result = place / "result.json"
    here = {"folder": str(place), "result": str(result)}
    how = {"mode": point.run_mode, "streams": point.streams if point.concurrent else None}
    local = {"servers": list(servers), "local": point.mode == "local"}
    hidden = SERVERS_VARIABLE if point.mode == "local" else None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "eventbraid.studies.comparison.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != hidden},
    )
    try:
        _, errors = await process.communicate(json.dumps({**request, **here, **how, **local}).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    name = run_name(point, repeat)
    answer = await asyncio.to_thread(_read, result) if process.returncode == 0 else None
    if answer is None:
        last = errors.decode(errors="replace").strip()[-2000:]
        raise EventbraidError(f"{name}: its process ended with {process.returncode}:\n{last}")
    if "error" in answer:
        error = EventbraidError(f"{name} failed: {answer['error']}")
        error.exit_code = answer["exit_code"]
        raise error
    run = Measurement.from_dict(answer, point, repeat)
    if run.report["interrupted"]:
        raise EventbraidError(f"{name} was interrupted")
    if not run.events:
        raise DataError(f"job {run.report['job']!r} has no events: there is nothing to compare")
    return run


def _read(result: Path) -> dict[str, Any] | None:
    """What the process wrote; None where it wrote nothing."""
    if not result.exists():
        return None
    answer: dict[str, Any] = json.loads(result.read_text())
    return answer
