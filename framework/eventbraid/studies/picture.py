"""The file of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventbraid.errors import DataError, need_extra

__all__ = ["check", "save"]


def check(picture: Path) -> None:
    """Raise now what drawing and `save` would raise after minutes."""
    need_extra("matplotlib.figure", "plots", "the picture")
    if picture.suffix not in (".png", ".pdf", ".svg"):
        raise DataError(f"cannot write {picture}: a picture ends with .png, .pdf or .svg")
    if picture.is_dir() or not picture.absolute().parent.is_dir():
        raise DataError(f"cannot write {picture}: there is no such folder, or it is one")


def save(figure: Any, picture: Path) -> None:
    """Write a matplotlib figure; raises `DataError` where that cannot be."""
    try:
        figure.savefig(picture, dpi=160)
    except OSError as error:
        raise DataError(f"cannot write {picture}: {error.strerror or error}") from error
