"""Which numbers the model takes: what is wrong with the others is told at once, by their names."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Final

from eventbraid.errors import ConfigurationError, Fault

__all__ = ["LEAST", "MOST", "need", "need_counts", "need_finite"]

LEAST: Final = 1e-12
MOST: Final = 1e15
"""Between these are the numbers that a user may give: what follows from them stays a number."""


def need(subject: str, values: Mapping[str, float | None], *, positive: bool = False) -> None:
    """Raise `ConfigurationError` with every given value that is no number of at least 0, or above 0; None is none."""
    _need(subject, values, LEAST if positive else 0.0, MOST, f"at most {MOST:g}")


def need_finite(subject: str, values: Mapping[str, float], *, positive: bool = False) -> None:
    """The same for what may have been computed, of any size."""
    _need(subject, values, math.ulp(0.0) if positive else 0.0, sys.float_info.max, "finite")


def _need(subject: str, values: Mapping[str, float | None], least: float, most: float, bound: str) -> None:
    wanted = f"must be {'above' if least else 'at least'} 0 and {bound}"
    faults = [
        Fault(f"{subject}: {name}", f"{wanted}, not {value:g}")
        for name, value in values.items()
        if value is not None and not least <= value <= most
    ]
    if faults:
        raise ConfigurationError(faults, subject)


def need_counts(subject: str, values: Mapping[str, int | None]) -> None:
    """Raise `ConfigurationError` with every count that is not at least 1; None is none given."""
    faults = [
        Fault(f"{subject}: {name}", f"must be at least 1 and at most {MOST:g}, not {value}")
        for name, value in values.items()
        if value is not None and not 1 <= value <= MOST
    ]
    if faults:
        raise ConfigurationError(faults, subject)
