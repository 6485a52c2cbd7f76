"""What a run of a job says of an event: read from the JSON of `eventbraid run --json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from eventbraid.errors import ConfigurationError, Fault
from eventbraid.studies.model.checks import MOST
from eventbraid.studies.model.requests import Requests

__all__ = ["Measured", "measure", "read_report"]

LARGEST: Final = 1 << 26
"""Bytes of a file; a report has some thousands."""
RUN: Final = "eventbraid run job.py --json report.json"

Number = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(ge=0, le=MOST, strict=True)]


class Events(BaseModel):
    read: Annotated[int, Field(ge=1, le=MOST, strict=True)]
    failed: Count = 0


class Times(BaseModel):
    calls: Count
    cpu_seconds: Number
    waiting_seconds: Number
    external_seconds: Number


class Split(BaseModel):
    network: Number | None
    server_compute: Number | None


class Asked(BaseModel):
    """Of one model on one server."""

    model: str
    requests: Count
    rows: Count
    bytes_sent: Count
    bytes_received: Count
    executions: Count | None
    shared: bool
    split: Split

    @property
    def compute(self) -> float | None:
        """Seconds for which the server computed; a batch of several requests is counted once where it is known."""
        if self.split.server_compute is None:
            return None
        known = self.executions is not None and not self.shared
        return self.split.server_compute * (min(self.executions or 0, self.requests) if known else self.requests)

    @property
    def away(self) -> float | None:
        """Seconds of all requests without any queue, one after the other."""
        if self.split.server_compute is None or self.split.network is None:
            return None
        return self.requests * (self.split.server_compute + self.split.network)


class Fallen(BaseModel):
    model: str
    requests: Count


class Inference(BaseModel):
    models: list[Asked] = []
    fallback: list[Fallen] = []


class Written(BaseModel):
    """The parts of a report that the model needs."""

    job: str
    mode: Literal["async", "blocking", "threads"]
    streams: Annotated[int, Field(ge=1, le=MOST, strict=True)]
    events: Events
    seconds: Number
    cpu_seconds: Number
    modules: dict[str, Times]
    inference: Inference
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """Means of one event of a run, in seconds and bits."""

    job: str
    mode: str
    streams: int
    """Events in flight; 1 in blocking mode."""
    other: float
    """CPU time of the modules that ask no server, of the source and of the framework."""
    preparing: float
    """CPU time of the steps of those that do."""
    client: float
    """CPU time of requests and answers, at most: what the process took beside its modules, see `_client`."""
    compute: float | None
    """Of the servers; None where they do not say."""
    away: float
    """From an event's requests to their answers: the servers' computing is part of it, and so is `client`."""
    trips: float
    """Times that modules were away."""
    bits: float
    """Sent, or received if that is more."""
    requests: tuple[Requests, ...]
    notes: tuple[str, ...] = ()


def read_report(file: Path) -> Measured:
    """What a report says; raises `ConfigurationError` for what is none, and for one without what is needed."""
    return measure(_content(file), file)


def measure(content: Any, file: Path) -> Measured:
    """What the content of a report says, see `read_report`; `file` is what errors name."""
    if isinstance(content, dict) and "points" in content and "differences" in content:
        hint = f"take that of one run: {RUN}"
        raise ConfigurationError([Fault(str(file), "is the result of `eventbraid compare`", hint)], str(file))
    try:
        written = Written.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(_faults(file, error), str(file)) from None
    asked = any(each.requests for each in written.inference.models)
    for missing, what, hint in (
        (not written.modules, "has no times of modules: the job ran without timing", RUN),
        (not asked, "has no request to a model that was answered", f"it takes a job that asks a server: {RUN}"),
    ):
        if missing:
            raise ConfigurationError([Fault(str(file), what, hint)], str(file))
    return _measured(written)


def _measured(written: Written) -> Measured:
    events, asked = written.events.read, [each for each in written.inference.models if each.requests]
    external = [times for times in written.modules.values() if times.external_seconds]
    other = sum(times.cpu_seconds for times in written.modules.values() if not times.external_seconds)
    preparing = sum(times.cpu_seconds for times in external)
    away = sum(times.external_seconds for times in external)
    beside = max(0.0, written.cpu_seconds - other - preparing)
    client = _client(written, asked, beside)
    alone = _sum(each.away for each in asked)
    if written.mode != "blocking" and alone is not None:
        away = min(away, alone)
    compute = _sum(each.compute for each in asked)
    return Measured(
        job=written.job,
        mode=written.mode,
        streams=1 if written.mode == "blocking" else written.streams,
        other=(other + beside - client) / events,
        preparing=preparing / events,
        client=client / events,
        compute=None if compute is None else compute / events,
        away=away / events,
        trips=sum(times.calls for times in external) / events,
        bits=8 * max(sum(each.bytes_sent for each in asked), sum(each.bytes_received for each in asked)) / events,
        requests=tuple(_requests(asked, events)),
        notes=tuple(_notes(written, asked)),
    )


def _client(written: Written, asked: list[Asked], beside: float) -> float:
    """Of the CPU time beside the modules' own, what was spent on requests at most; the rest was spent elsewhere.

    That is no more than their time that was not the servers', and in blocking mode none of the time in which no module
    had its turn, which is the source's. Steps in threads count there, too: they are in nobody's CPU time.
    """
    network = _sum(None if each.split.network is None else each.requests * each.split.network for each in asked)
    if written.mode == "blocking":
        times = written.modules.values()
        turns = sum(each.cpu_seconds + each.waiting_seconds + each.external_seconds for each in times)
        beside = max(0.0, beside - max(0.0, written.seconds - turns))
    return beside if network is None else min(beside, network)


def _requests(asked: list[Asked], events: int) -> Iterator[Requests]:
    """Of each model, of all servers together; what has no rows has one for each request."""
    for model in dict.fromkeys(each.model for each in asked):
        mine = [each for each in asked if each.model == model]
        number = sum(each.requests for each in mine)
        yield Requests(model, number / events, max(number, sum(each.rows for each in mine)) / events)


def _notes(written: Written, asked: list[Asked]) -> Iterator[str]:
    if written.events.failed:
        yield f"{written.events.failed} of {written.events.read} events failed, and count as events"
    if written.interrupted:
        yield "the run was interrupted"
    for fallen in written.inference.fallback:
        if fallen.requests:
            yield f"{fallen.requests} requests of {fallen.model!r} fell back: their work is in the client's CPU time"
    for each in asked:
        if each.shared and each.split.server_compute is not None:
            yield f"others used {each.model!r} too: its requests count as batches of their own"


def _sum(values: Iterator[float | None]) -> float | None:
    """Of all of them; None where one is not known."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None


def _content(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", str(file)) from error
    if len(content) > LARGEST:
        raise ConfigurationError(f"is larger than {LARGEST >> 20} MiB", str(file))
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is no JSON: {error}", str(file)) from error


def _faults(file: Path, error: ValidationError) -> Iterator[Fault]:
    """That it is no report where its own fields are not there, else what is wrong with each."""
    found = error.errors(include_url=False)
    missing = [str(each["loc"][0]) for each in found if each["type"] == "missing" and len(each["loc"]) == 1]
    if missing or not found[0]["loc"]:
        has = f"it has no {', '.join(map(repr, missing))}" if missing else "it is no object"
        yield Fault(str(file), f"is no report of a run: {has}", f"one is written by {RUN}")
        return
    for each in found:
        shown = f", not {each['input']!r:.60}" if each["type"] != "missing" else ""
        what = each["msg"].removeprefix("Input ").removeprefix("Field ")
        yield Fault(f"{file}: {'.'.join(map(str, each['loc']))!r}", f"{what}{shown}")
