"""Options that several commands share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from eventbraid.durations import parse_duration
from eventbraid.errors import ConfigurationError, Fault
from eventbraid.job import Job
from eventbraid.loading import load_job

__all__ = [
    "TOKEN_VARIABLE",
    "Accelerators",
    "Events",
    "Fallback",
    "JobFile",
    "Json",
    "Seed",
    "Servers",
    "Settings",
    "Streams",
    "loaded",
    "parse_accelerators",
    "parse_distances",
    "parse_numbers",
    "parse_settings",
    "writable",
    "write_json",
    "write_text",
]

TOKEN_VARIABLE: Final = "EVENTBRAID_CONTROL_TOKEN"
"""The token of the job control, for the job and for those who ask it; in a command all users of a machine see it."""

JobFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="JOB", help="the Python file of the job", show_default=False)
]
Events: TypeAlias = Annotated[int | None, typer.Option("--events", help="how many events", show_default="the job's")]
Streams: TypeAlias = Annotated[int | None, typer.Option("--streams", help="events in flight", show_default="the job's")]
Servers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--server", metavar="HOST:PORT|FILE", help="an inference server, or a TOML file of them; may be repeated"
    ),
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="LABEL.PARAMETER=VALUE",
        help="change a parameter of a module or of `source`; of a switch LABEL.CASE.PARAMETER",
    ),
]
Accelerators: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--accelerators", metavar="NAME,NAME", help="what switches choose from: gpu,cpu", show_default="found out"
    ),
]
Fallback: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--fallback",
        help="where no server helps: local (in this process), server (an embedded one) or none",
        show_default="the job's",
    ),
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option("--seed", help="what all random numbers depend on", show_default="the job's")
]


def writable(file: Path | None) -> Path | None:
    """The file of an option as it is; a wrong one is named before the job runs, not when its result is there."""
    if file is None or str(file) == "-":
        return file
    if not file.parent.is_dir():
        raise ConfigurationError("cannot be written: there is no such folder", str(file))
    if file.is_dir():
        raise ConfigurationError("cannot be written: it is a folder", str(file))
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ConfigurationError("cannot be written: permission denied", str(file))
    return file


Json: TypeAlias = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="write the result as JSON; - for standard output", callback=writable),
]


def parse_settings(settings: Sequence[str] | None) -> dict[str, Any]:
    """{"label.parameter": value} of "label.parameter=value", the value read as JSON where it is JSON."""
    found: dict[str, Any] = {}
    for setting in settings or ():
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigurationError(f"must be label.parameter=value, not {setting!r}", "--set")
        try:
            found[key] = json.loads(text)
        except json.JSONDecodeError:
            found[key] = text
    return found


def parse_accelerators(names: str | None) -> tuple[str, ...] | None:
    """The names between commas."""
    return None if names is None else tuple(name.strip() for name in names.split(",") if name.strip())


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers of "1,4,16"; raises `ConfigurationError` for anything else."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        fault = Fault(option, f"must be whole numbers between commas, not {text!r}", "1,4,16 are three points")
        raise ConfigurationError([fault], option) from None


def parse_distances(text: str) -> tuple[float, ...]:
    """The seconds of "0ms,12ms,100ms"; raises `ConfigurationError` for anything else."""
    try:
        return tuple(parse_duration(part) for part in text.split(","))
    except ConfigurationError as error:
        raise ConfigurationError([Fault("--distance", fault.what) for fault in error.faults], "--distance") from None


def loaded(
    file: Path,
    *,
    events: int | None = None,
    streams: int | None = None,
    servers: Sequence[str] | None = None,
    accelerators: str | None = None,
    fallback: str | None = None,
    seed: int | None = None,
    settings: Sequence[str] | None = None,
) -> Job:
    """The job of a file with the options of a command."""
    changes = parse_settings(settings)
    return load_job(file).replace(
        events=events,
        streams=streams,
        servers=servers or None,
        accelerators=parse_accelerators(accelerators),
        fallback=fallback,
        seed=seed,
        settings=changes,
    )


def write_json(result: Mapping[str, Any], file: Path | None) -> None:
    """Write a command's result where `--json` says."""
    if file is None:
        return
    write_text(json.dumps(result, indent=2) + "\n", file)


def write_text(text: str, file: Path) -> None:
    """Write to a file, or to standard output where it is -; raises `ConfigurationError` where that cannot be."""
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}", str(file)) from error
