"""Regions: shared-memory objects of this process, and the removal of those that dead processes left behind.

Each object is locked for as long as its process lives. The kernel lets go of the lock however the process ends, so
a lock that can be taken marks an object that nobody owns: neither a process number that was given again nor one of
another container can mislead.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import mmap
import os
import re
import secrets
import weakref
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.kserve.shared import FOLDER

__all__ = ["PAGE", "Region", "is_ours", "spare_bytes", "sweep"]

PAGE: Final = 4096
"""Bytes; regions and what is laid out in them begin at a multiple of it."""
_NAME: Final = re.compile(r"eventbraid-\d+-[0-9a-f]{8}-\d+")
_TOKEN: Final = secrets.token_hex(4)
"""Makes names unique on a server that processes of several containers share."""
_numbers = itertools.count(1)


class Region:
    """A shared-memory object of `size` bytes, mapped here; a server opens it as /NAME.

    Its memory is set aside at once: raises OSError where there is not enough, and no write can fail later.
    The name goes when `unlink` is called, when the region is garbage, or at the end of the process; arrays made
    by `array` stay valid beyond that.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.name, descriptor = _create()
        self.unlink = weakref.finalize(self, _unlink, FOLDER / self.name, os.getpid())
        """Remove the name; the memory is free when nobody maps it any more."""
        try:
            os.posix_fallocate(descriptor, 0, size)
            self._map = mmap.mmap(descriptor, size)
        except BaseException:
            self.unlink()
            raise
        finally:
            os.close(descriptor)  # the map has one of its own, and with it the lock
        whole = self.array(0, size)
        self.address: int = whole.__array_interface__["data"][0]

    def __repr__(self) -> str:
        return f"Region({self.name}, {self.size} bytes{'' if self.unlink.alive else ', unlinked'})"

    def array(self, offset: int, size: int, *, writeable: bool = True) -> NDArray[Any]:
        """The bytes from `offset` on: the array on which all views of it end, and which keeps the memory mapped."""
        memory = memoryview(self._map)
        return np.frombuffer(memory if writeable else memory.toreadonly(), np.uint8, size, offset)

    def touch(self) -> None:
        """Have every page mapped, so that the first to write need not wait for that."""
        self.array(0, self.size)[::PAGE] = 0


def _create() -> tuple[str, int]:
    """The name and the descriptor of a new object that is locked."""
    while True:
        name = f"eventbraid-{os.getpid()}-{_TOKEN}-{next(_numbers)}"
        try:
            descriptor = os.open(FOLDER / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        # Somebody may sweep right between the two.
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return False
    return True


def _unlink(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not a child that was forked
        path.unlink(missing_ok=True)


def spare_bytes() -> int:
    """The shared memory that nobody uses now; 0 where this system shows none."""
    try:
        found = os.statvfs(FOLDER)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def is_ours(name: str) -> bool:
    """True for the name of a region of eventbraid, of whatever process."""
    return _NAME.fullmatch(name) is not None


def sweep() -> list[str]:
    """Remove the regions of processes that are dead, whose memory would stay in use; gives their names."""
    try:
        found = [entry.name for entry in os.scandir(FOLDER) if is_ours(entry.name)]
    except OSError:
        return []
    return [name for name in found if _remove_if_dead(FOLDER / name)]


def _remove_if_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # it went meanwhile, or is another user's
        return False
    try:
        if not _lock(descriptor):
            return False
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
