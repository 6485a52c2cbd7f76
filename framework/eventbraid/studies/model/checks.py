"""Which numbers the model takes: what is wrong with the others is told at once, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventbraid.errors import ConfigurationError, Fault

__all__ = ["LEAST", "MOST", "need", "need_counts"]

LEAST: Final = 1e-12
"""Of numbers that must be above 0: beyond, quotients would no longer be numbers."""
MOST: Final = 1e15


def need(subject: str, values: Mapping[str, float | None], *, positive: bool = False) -> None:
    """Raise `ConfigurationError` with every value that is no number of at least 0, or above 0; None is none given."""
    least, wanted = (LEAST, "above 0") if positive else (0.0, "at least 0")
    faults = [
        Fault(f"{subject}: {name}", f"must be {wanted} and at most {MOST:g}, not {value:g}")
        for name, value in values.items()
        if value is not None and not least <= value <= MOST
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
