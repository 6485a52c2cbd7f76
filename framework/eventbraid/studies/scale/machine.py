"""How busy this machine is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Cores", "busy_share", "read_cores"]


class Cores(NamedTuple):
    """Time of all cores since the machine was started, in ticks."""

    busy: int
    all: int


def read_cores(file: Path = Path("/proc/stat")) -> Cores | None:
    """What the cores have done until now; None where the system does not say."""
    try:
        ticks = [int(each) for each in file.read_text().partition("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    if not ticks:
        return None
    idle = sum(ticks[3:5])  # idle, and waiting for disks
    return Cores(sum(ticks) - idle, sum(ticks))


def busy_share(before: Cores | None, after: Cores | None) -> float | None:
    """The share of the cores' time that was used in between, by all processes; None where that is not known."""
    if before is None or after is None or after.all == before.all:
        return None
    return (after.busy - before.busy) / (after.all - before.all)
