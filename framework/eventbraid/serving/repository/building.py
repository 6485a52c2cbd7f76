"""Builds the models of installed packages: entry points of the group "eventbraid.model_builders"."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, TypeAlias

from eventbraid.errors import ConfigurationError, EventbraidError, Fault, nearest
from eventbraid.serving.repository.layout import ModelEntry, Repository

__all__ = ["GROUP", "Builder", "build_models"]

GROUP: Final = "eventbraid.model_builders"
Builder: TypeAlias = Callable[[Path], None]
"""Writes a model into the empty folder that it is given: `1/model.onnx` or `1/model.py`, and `config.pbtxt`."""


def build_models(names: Sequence[str], into: Path, tell: Callable[[str], None]) -> list[ModelEntry]:
    """Build the named models, or all, as `into`/NAME; `tell` is told the name of each before.

    Raises `ConfigurationError` for names that nobody builds, for models that are there already, and for a builder
    that fails or writes a model with faults; of such a one nothing is left.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    if not points:
        raise ConfigurationError(
            f"no installed package builds models (entry points of the group {GROUP})", "models build"
        )
    wanted = list(dict.fromkeys(names)) or sorted(points)
    faults = [
        Fault(name, "no installed package builds it", nearest(name, points)) for name in wanted if name not in points
    ]
    faults += [
        Fault(str(into / name), "is there already", "remove it, or build into another folder: --into DIR")
        for name in wanted
        if (into / name).exists()
    ]
    if into.exists() and not into.is_dir():
        faults = [Fault(str(into), "is no folder")]
    elif (into / "config.pbtxt").exists():
        faults = [Fault(str(into), "is a model, not a folder of models", f"--into {into.resolve().parent}")]
    if faults:
        raise ConfigurationError(faults, "models build")
    return [_build(points[name], into, tell) for name in wanted]


def _build(point: EntryPoint, into: Path, tell: Callable[[str], None]) -> ModelEntry:
    tell(point.name)
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
    return entry
