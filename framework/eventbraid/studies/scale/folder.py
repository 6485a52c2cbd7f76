"""The finished points of a study, kept so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eventbraid.errors import ConfigurationError
from eventbraid.studies.scale.point import Point

__all__ = ["Folder"]

SETTINGS = "study.json"


class Folder:
    """A folder with a file for each point, and one that says what was measured.

    Raises `ConfigurationError` for a folder with points of another study, or with other files.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        said = json.loads(json.dumps(settings))
        where = path / SETTINGS
        try:
            path.mkdir(parents=True, exist_ok=True)
            if where.exists() and any(path.glob("*clients-*.json")):
                self._compare(json.loads(where.read_text()), said)
            elif any(each != where for each in path.iterdir()):
                raise ConfigurationError("is a folder with other files: --results elsewhere", str(path))
            else:
                _write(where, said)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot keep the results of a study: {error}", str(path)) from error

    def __str__(self) -> str:
        return str(self._path)

    def _compare(self, there: Any, wanted: Mapping[str, Any]) -> None:
        known = there if isinstance(there, dict) else {}
        for name, value in wanted.items():
            if known.get(name) != value:
                what = f"has the results of another study, with {name} {known.get(name)!r} in the place of {value!r}"
                raise ConfigurationError(f"{what}: --results elsewhere, or remove it", str(self._path))

    def find(self, gpus: int | None, clients: int) -> tuple[Point, dict[str, Any]] | None:
        """A finished point, with the report of one of its clients."""
        file = self._file(gpus, clients)
        if not file.exists():
            return None
        try:
            kept = json.loads(file.read_text())
            return Point(**kept["point"]), kept["report"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"is no finished point ({error}): remove it", str(file)) from error

    def keep(self, point: Point, report: Mapping[str, Any]) -> None:
        """Write a point, whole or not at all."""
        _write(self._file(point.gpus, point.clients), {"point": asdict(point), "report": dict(report)})

    def _file(self, gpus: int | None, clients: int) -> Path:
        return self._path / (f"gpus-{gpus}-clients-{clients}.json" if gpus else f"clients-{clients}.json")


def _write(file: Path, content: Any) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(file)
