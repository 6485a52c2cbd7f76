"""Builds the models of installed packages: entry points of the group "eventbraid.model_builders"."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, TypeAlias

from eventbraid.errors import ConfigurationError, EventbraidError, Fault, nearest
from eventbraid.serving.repository.layout import ModelEntry, Repository, built_folder, installed_folders

__all__ = ["GROUP", "Builder", "build_models", "builder_hint"]

GROUP: Final = "eventbraid.model_builders"
Builder: TypeAlias = Callable[[Path], None]
"""Writes a model into the empty folder that it is given: `1/model.onnx` or `1/model.py`, and `config.pbtxt`."""


def builder_hint(name: str) -> str:
    """The command that builds a model, or an empty text for one that nobody builds or that is installed."""
    buildable = {point.name for point in entry_points(group=GROUP)} - _installed().keys()
    return f"`eventbraid models build {name}` builds it" if name in buildable else ""


def build_models(names: Sequence[str], into: Path | None, tell: Callable[[str], None]) -> list[ModelEntry]:
    """Build the named models, or all, as `into`/NAME; `tell` is told each folder before, and the time it took after.

    Without `into` they go into `built_folder()`, where every job's own server finds them, and all are those that
    are neither there nor installed.
    Raises `ConfigurationError` for names that nobody builds, for models that are there already, and for a builder
    that fails or writes a model with faults; of such a one nothing is left.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    if not points:
        raise ConfigurationError(
            f"no installed package builds models (entry points of the group {GROUP})", "models build"
        )
    folder, installed = (into, {}) if into else (built_folder(), _installed())
    there = {name: folder / name for name in points if (folder / name).exists()} | installed
    wanted = list(dict.fromkeys(names)) or sorted(points if into else points.keys() - there.keys())
    faults = [
        Fault(name, "no installed package builds it", nearest(name, points)) for name in wanted if name not in points
    ]
    faults += [
        Fault(str(there[name]), "is there already", "remove it, or build into another folder: --into DIR")
        for name in wanted
        if name in there
    ]
    if folder.exists() and not folder.is_dir():
        faults = [Fault(str(folder), "is no folder")]
    elif (folder / "config.pbtxt").exists():
        faults = [Fault(str(folder), "is a model, not a folder of models", f"--into {folder.resolve().parent}")]
    if faults:
        raise ConfigurationError(faults, "models build")
    return [_build(points[name], folder, tell) for name in wanted]


def _installed() -> dict[str, Path]:
    """The models that installed packages bring, with their folders."""
    return {each.name: each for folder in installed_folders() for each in folder.iterdir()}


def _build(point: EntryPoint, into: Path, tell: Callable[[str], None]) -> ModelEntry:
    tell(f"building {point.name} in {into / point.name}")
    wall, cpu = time.perf_counter(), time.process_time()
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=into) as scratch:  # nobody reads a model that is half written
        made = Path(scratch) / point.name
        made.mkdir()
        try:
            point.load()(made)
        except EventbraidError:
            raise
        except Exception as error:
            what = f"its builder {point.value} failed: {type(error).__name__}: {error}"
            raise ConfigurationError(what, point.name) from error
        Repository.open([scratch])
        shutil.move(made, into / point.name)
    (entry,) = (each for each in Repository.survey([into])[0].models if each.name == point.name)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tell(f"{point.name} took {wall:.0f} s, {cpu:.0f} s of CPU time")
    return entry
