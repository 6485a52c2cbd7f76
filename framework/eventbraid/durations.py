"""Durations as people write them."""

from __future__ import annotations

import re
from typing import Final

from eventbraid.errors import ConfigurationError

__all__ = ["parse_duration"]

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"\s*(?P<value>\d+(\.\d*)?|\.\d+)\s*(?P<unit>ns|us|ms|s|min|h)\s*")


def parse_duration(text: str) -> float:
    """Seconds: "20ms" is 0.02; raises `ConfigurationError` that says what is expected."""
    if text.strip() == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"{text!r} is no duration: expected a number with ns, us, ms, s, min or h, as in 20ms", "duration"
        )
    return float(match["value"]) * _UNITS[match["unit"]]
