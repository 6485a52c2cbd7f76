"""What the cases of a switch may be for on this machine: "cpu", "gpu", "server"."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["find_accelerators"]

DEVICES: Final = Path("/dev")
HIDDEN: Final = ("", "-1", "NoDevFiles")


def find_accelerators(
    servers: Sequence[str], *, devices: Path = DEVICES, visible: str | None = None
) -> tuple[str, ...]:
    """ "cpu" always, "gpu" where there is an NVIDIA device that may be used, "server" where servers are named.

    `visible` is CUDA_VISIBLE_DEVICES: none where it is empty, -1 or what batch systems say, all where it is
    None. Nothing is loaded: whether a library finds the device is the module's to say.
    """
    found = ["cpu"]
    hidden = visible is not None and visible.strip() in HIDDEN
    if not hidden and any(os.access(device, os.R_OK | os.W_OK) for device in devices.glob("nvidia[0-9]*")):
        found.append("gpu")
    if servers:
        found.append("server")
    return tuple(found)
