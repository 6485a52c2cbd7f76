"""Runs a job braided and blocking, in turn, each time in a fresh process, and compares times and products."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from eventbraid.address import names_servers
from eventbraid.errors import ConfigurationError, DataError, EventbraidError
from eventbraid.job import Job, Mode
from eventbraid.loading import load_job
from eventbraid.plan import Plan, make_plan
from eventbraid.studies.comparison import Comparison
from eventbraid.studies.measurement import Measurement, Window
from eventbraid.studies.sameness import Difference, differences

__all__ = ["compare", "compare_async", "window_of"]

ROWS: Final = 12
"""Events in the picture."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def compare(
    job_file: str | Path,
    *,
    events: int | None = None,
    streams: int | None = None,
    repeats: int = 3,
    servers: Sequence[str] = (),
    accelerators: Sequence[str] | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    picture: str | Path | None = Path("compare.png"),
    say: Callable[[str], None] = _say,
) -> Comparison:
    """Compare the modes of a job; see `compare_async`."""
    return asyncio.run(
        compare_async(
            job_file,
            events=events,
            streams=streams,
            repeats=repeats,
            servers=servers,
            accelerators=accelerators,
            seed=seed,
            settings=settings,
            picture=picture,
            say=say,
        )
    )


async def compare_async(
    job_file: str | Path,
    *,
    events: int | None = None,
    streams: int | None = None,
    repeats: int = 3,
    servers: Sequence[str] = (),
    accelerators: Sequence[str] | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    picture: str | Path | None = Path("compare.png"),
    say: Callable[[str], None] = _say,
) -> Comparison:
    """Run the job once to fill caches, then `repeats` times in each mode, in turn; draw `picture` unless None.

    Every run is a fresh process with the same input, settings and servers, and writes its outputs to a
    temporary folder. A job that needs a server and names none gets one embedded server for all runs, so
    that its start is in no figure. Raises `ConfigurationError` before anything runs, and `EventbraidError`
    with the words of a run that failed. Cancelling ends the running process.
    """
    if repeats < 1:
        raise ConfigurationError(f"repeats must be at least 1, not {repeats}", "compare")
    draw = _drawing(Path(picture)) if picture is not None else None
    job = load_job(job_file).replace(
        events=events,
        streams=streams,
        servers=list(servers) or None,
        accelerators=accelerators,
        seed=seed,
        settings=settings,
    )
    plan = make_plan(job)
    if not job.outputs:
        say(f"note: job {job.name!r} has no output: there are no products to compare")
    window = window_of(job.events if job.events is not None else job.source.count(), job.streams)
    request: dict[str, Any] = {
        "job_file": str(job_file),
        "events": events,
        "streams": streams,
        "accelerators": job.available(),  # an embedded server is none of the job's own
        "seed": job.seed,
        "settings": dict(settings or {}),
        "keep_steps": [window.keep_first, window.keep_last],
    }
    runs: dict[Mode, list[Measurement]] = {"blocking": [], "async": []}
    found: list[Difference] = []
    with tempfile.TemporaryDirectory(prefix="eventbraid-compare-") as folder:
        async with _servers(job, servers, plan, say) as request["servers"]:
            say("warming up: one run that does not count")
            await _run("async", 0, Path(folder), request)
            for repeat in range(1, repeats + 1):
                for mode, of_mode in runs.items():
                    run = await _run(mode, repeat, Path(folder), request)
                    of_mode.append(run)
                    say(f"{run.name} of {repeats}: {run.events_per_second:,.1f} events/s")
                    reference = runs["blocking"][0]
                    if run is not reference:
                        found += await asyncio.to_thread(_differences, reference, run)
                        shutil.rmtree(_folder(mode, repeat, Path(folder)))
    comparison = Comparison(
        job=job.name,
        streams=job.streams,
        blocking=tuple(runs["blocking"]),
        braided=tuple(runs["async"]),
        differences=tuple(found),
        picture=Path(picture) if picture is not None else None,
    )
    if draw is not None:
        draw(comparison, window)
    return comparison


def _differences(reference: Measurement, run: Measurement) -> list[Difference]:
    return list(differences(reference, run))


def _drawing(picture: Path) -> Callable[[Comparison, Window], None]:
    """What draws the picture; what stands against it is said before anything runs."""
    from eventbraid.studies.picture import check, draw

    check(picture)
    return lambda comparison, window: draw(comparison, window, picture)


def window_of(events: int | None, streams: int) -> Window:
    """Which events to picture: some from the middle of things, and beside them all that can be in flight."""
    first = 2 * streams
    if events is not None:
        first = max(0, min(first, events - ROWS - streams))
    return Window(first, first + ROWS, max(0, first - 2 * streams), first + ROWS + 2 * streams)


@contextlib.asynccontextmanager
async def _servers(
    job: Job, given: Sequence[str], plan: Plan, say: Callable[[str], None]
) -> AsyncGenerator[list[str], None]:
    """What is given beside the job's own servers, or one embedded server where it needs one and none is named."""
    if names_servers(job.servers, os.environ) or not _infers(plan):
        yield list(given)
        return
    from eventbraid.serving import EmbeddedServer, known_repositories

    async with EmbeddedServer(known_repositories(job.models)) as server:
        say(f"embedded server at {server.address} for all runs")
        yield [server.address]


def _infers(plan: Plan) -> bool:
    """True when a module asks an inference server; what was never imported is in no plan."""
    if "eventbraid.inference" not in sys.modules:
        return False
    from eventbraid.inference import InferenceFilter, InferenceProducer

    return any(isinstance(node.module, (InferenceProducer, InferenceFilter)) for node in plan.nodes)


def _folder(mode: Mode, repeat: int, folder: Path) -> Path:
    return folder / f"{mode}-{repeat}"


async def _run(mode: Mode, repeat: int, folder: Path, request: Mapping[str, Any]) -> Measurement:
    """One run in a process of its own."""
    place = _folder(mode, repeat, folder)
    place.mkdir()
    result = place / "result.json"
    text = json.dumps({**request, "mode": mode, "folder": str(place), "result": str(result)})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "eventbraid.studies.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    name = f"{mode} run {repeat}" if repeat else "the warming run"
    if process.returncode != 0 or not result.exists():
        last = errors.decode(errors="replace").strip()[-2000:]
        raise EventbraidError(f"{name}: its process ended with {process.returncode}:\n{last}")
    answer = json.loads(result.read_text())
    if "error" in answer:
        error = EventbraidError(f"{name} failed: {answer['error']}")
        error.exit_code = answer["exit_code"]
        raise error
    run = Measurement.from_dict(answer, mode, repeat)
    if run.report["interrupted"]:
        raise EventbraidError(f"{name} was interrupted")
    if not run.events:
        raise DataError(f"job {run.report['job']!r} has no events: there is nothing to compare")
    return run
