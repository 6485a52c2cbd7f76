"""What would make the real Triton hang or fail at its start, asked before: what is wrong, and what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from eventbraid.errors import ConfigurationError, Fault
from eventbraid.serving.ports import in_use

__all__ = [
    "SHARED",
    "check_start",
    "find_libraries",
    "missing_libraries",
    "platform_fault",
    "port_faults",
    "room_fault",
    "shared_bytes",
]

SUBJECT: Final = "triton"
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
SHARED: Final = Path("/dev/shm")
SHARED_BYTES: Final = 2**20
"""Of shared memory that each instance of a model takes at least at its start; with its requests it grows."""
AMPLE_BYTES: Final = 16 * 2**20
"""Of it that an instance is given where there is room: while it grows under load, Triton's Python back end may
crash, and the whole server with it (triton-inference-server/server, issue 8882)."""
LIBRARY_FOLDERS: Final = (
    sysconfig.get_config_var("LIBDIR") or "",
    f"{sys.base_prefix}/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
)
OLDEST_LIBC: Final = (2, 35)


def platform_fault(system: str, machine: str, libc: tuple[str, str]) -> str:
    """Why there is no Triton for a platform; empty where there is one."""
    if system != "linux" or machine != "x86_64":
        return "there is no wheel of the Triton server for this platform: use Linux on x86_64"
    name, version = libc
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if name != "glibc" or numbers < OLDEST_LIBC:
        wanted = ".".join(map(str, OLDEST_LIBC))
        there = f"{name} {version}".strip() or "another C library"
        return f"the Triton server needs glibc {wanted} or newer, and this system has {there}"
    return ""


def find_libraries(folders: Iterable[str | Path] = LIBRARY_FOLDERS) -> Path:
    """The folder with the libpython that the Python back end needs; without it Triton would hang at its start."""
    name = f"libpython{PYTHON}.so.1.0"
    for folder in map(Path, folders):
        if (folder / name).exists():
            return folder
    raise ConfigurationError(
        f"the Python back end needs {name}, and this Python has none (Debian: apt-get install libpython{PYTHON})",
        SUBJECT,
    )


def check_start(
    binary: Path, stub: Path, variables: Mapping[str, str], ports: Mapping[str, int], instances: int
) -> None:
    """Raise `ConfigurationError` with every reason why a server would not come up; `ports` by what they are for."""
    faults = port_faults(ports)
    for file in (binary, stub):
        if not os.access(file, os.X_OK):
            hint = "is it on a file system that is mounted with noexec? EVENTBRAID_CACHE names another folder"
            faults.append(Fault(str(file), "cannot be executed", hint))
        elif missing := missing_libraries(_listing(file, variables)):
            faults.append(
                Fault(str(file), f"needs {', '.join(missing)}", "install the packages with them: Triton would hang")
            )
    if not os.access(SHARED, os.W_OK):
        faults.append(Fault(str(SHARED), "cannot be written: models get their tensors through it"))
    elif fault := room_fault(shutil.disk_usage(SHARED).free, instances):
        faults.append(fault)
    if faults:
        raise ConfigurationError(faults, SUBJECT)


def missing_libraries(listing: str) -> list[str]:
    """The shared libraries that a program needs and that are not there, by the listing of the dynamic loader."""
    return re.findall(r"^\s*(\S+) => not found", listing, re.MULTILINE)


def port_faults(ports: Mapping[str, int]) -> list[Fault]:
    """Ports that are given twice, or that others have."""
    faults: list[Fault] = []
    owners: dict[int, str] = {}
    for name, port in ports.items():
        if port in owners:
            faults.append(Fault(f"{name} port {port}", f"is that of {owners[port]} already", "give each its own"))
        elif in_use(port):
            what = "cannot be used: is another server running there?"
            faults.append(Fault(f"{name} port {port}", what, "0 chooses a free one"))
        owners.setdefault(port, name)
    return faults


def room_fault(free: int, instances: int) -> Fault | None:
    """The fault of a shared memory with too little room for the instances of all models."""
    if free >= instances * SHARED_BYTES:
        return None
    needed = instances * SHARED_BYTES >> 20
    what = f"has room for {free >> 20} MiB, and the models need {needed}: {SHARED_BYTES >> 20} for each instance"
    return Fault(str(SHARED), what, "make it larger (docker run --shm-size=1g), or remove what others left there")


def shared_bytes(free: int, instances: int) -> int:
    """Bytes of shared memory with which each instance starts: all together take at most a quarter of what is free."""
    return min(AMPLE_BYTES, max(SHARED_BYTES, free // (4 * max(instances, 1)) // SHARED_BYTES * SHARED_BYTES))


def _listing(file: Path, variables: Mapping[str, str]) -> str:
    """What the dynamic loader finds for a program, which is not run."""
    done = subprocess.run(
        [str(file)], capture_output=True, text=True, check=False, env={**variables, "LD_TRACE_LOADED_OBJECTS": "1"}
    )
    return done.stdout
