"""What all pictures have in common: their colours, their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from eventbraid.errors import DataError, need_extra

__all__ = ["COLOURS", "FAINT", "INK", "check", "save"]

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7B5EA7", "#8C6D46")
"""The first six are those of Okabe and Ito, which the colour-blind tell apart."""
INK: Final = "#202124"
FAINT: Final = "#DADCE0"


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
