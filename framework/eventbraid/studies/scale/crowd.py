"""A number of clients, each a process of its own, that begin together."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from eventbraid.errors import EventbraidError
from eventbraid.studies.scale.machine import busy_share, read_cores

__all__ = ["CLIENT_VARIABLE", "Crowd", "run_clients"]

CLIENT_VARIABLE: Final = "EVENTBRAID_CLIENT"
"""In each client's environment its number, from 1 on: a job file that reads it gives every client work of its own."""


class Crowd(NamedTuple):
    """What the clients gave, and how busy the machine was meanwhile; None where that is not known."""

    results: list[dict[str, Any]]
    machine: float | None


async def run_clients(clients: int, request: Mapping[str, Any], folder: Path) -> Crowd:
    """Run them all; raises `EventbraidError` with the words of one that failed, and ends the others."""
    processes: list[asyncio.subprocess.Process] = []
    places = [folder / str(number) for number in range(1, clients + 1)]
    try:
        for place in places:
            place.mkdir(parents=True)  # no other work waits on this loop
            processes.append(await _start(place, request))  # those that have started are ended
        await _all(*(_ready(process, place) for process, place in zip(processes, places, strict=True)))
        before = read_cores()
        for process in processes:
            _tell(process, "go\n")
        results = await _all(*(_result(process, place) for process, place in zip(processes, places, strict=True)))
        return Crowd(results, busy_share(before, read_cores()))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
        for process in processes:
            await process.wait()


async def _all(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """What all of it gives; the first error ends the rest."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _start(place: Path, request: Mapping[str, Any]) -> asyncio.subprocess.Process:
    with (place / "said.txt").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "eventbraid.studies.scale.client"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            env={**os.environ, CLIENT_VARIABLE: place.name},
            start_new_session=True,  # Ctrl-C is for the study, which then ends its clients
        )
    text = json.dumps({**request, "folder": str(place), "result": str(place / "result.json")})
    _tell(process, text + "\n")
    return process


def _tell(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode())


async def _ready(process: asyncio.subprocess.Process, place: Path) -> None:
    assert process.stdout is not None
    if await process.stdout.readline() != b"ready\n":
        await _result(process, place)
        raise EventbraidError(f"client {place.name} ended before it began")


async def _result(process: asyncio.subprocess.Process, place: Path) -> dict[str, Any]:
    code = await process.wait()
    file = place / "result.json"
    if code or not file.exists():
        last = (place / "said.txt").read_text(errors="replace").strip()[-2000:]
        raise EventbraidError(f"client {place.name}: its process ended with {code}:\n{last}")
    result: dict[str, Any] = json.loads(file.read_text())
    if "error" in result:
        error = EventbraidError(f"client {place.name} failed: {result['error']}")
        error.exit_code = result["exit_code"]
        raise error
    return result
