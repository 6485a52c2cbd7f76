"""What the cases of a switch may be for on this machine: "cpu", "gpu", "server"."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from eventbraid.address import names_servers

__all__ = ["find_accelerators"]

DEVICES: Final = Path("/dev")
HIDDEN: Final = ("", "-1", "NoDevFiles")


def find_accelerators(
    servers: Sequence[object], environment: Mapping[str, str], *, devices: Path = DEVICES
) -> tuple[str, ...]:
    """ "cpu" always, "gpu" where there is an NVIDIA device that may be used, "server" where servers are named.

    Servers may be named by EVENTBRAID_SERVERS too. Devices are hidden where CUDA_VISIBLE_DEVICES is empty, -1 or
    what batch systems say. Nothing is loaded: whether a library finds the device is the module's to say.
    """
    found = ["cpu"]
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    hidden = visible is not None and visible.strip() in HIDDEN
    if not hidden and any(os.access(device, os.R_OK | os.W_OK) for device in devices.glob("nvidia[0-9]*")):
        found.append("gpu")
    if names_servers(servers, environment):
        found.append("server")
    return tuple(found)
