"""Where what is made once is kept: environments, generated collisions, built models."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """$EVENTBRAID_CACHE, else "eventbraid" in the user's cache folder; it need not exist."""
    if chosen := os.environ.get("EVENTBRAID_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventbraid"
