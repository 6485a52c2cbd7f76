"""ROOT files: which ones are meant, and whether each is there and whole."""

from __future__ import annotations

import glob
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from eventbraid.errors import Fault, nearest

__all__ = ["RootFile", "damage", "find_files"]

REMOTE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
BIG: Final = 1_000_000
"""Added to the version of a file whose header has places of 64 bits."""


class RootFile(NamedTuple):
    """A file, or its address, and the name of the tree in it, empty where it has only one."""

    path: str
    tree: str

    @property
    def is_local(self) -> bool:
        """False for what another machine has: its header is not looked at beforehand."""
        return REMOTE.match(self.path) is None

    @property
    def scheme(self) -> str:
        """How another machine is asked for it: "https", "root"; empty for a local file."""
        return "" if self.is_local else self.path.partition("://")[0].lower()

    def __str__(self) -> str:
        return f"{self.path}: tree {self.tree!r}" if self.tree else self.path


def find_files(names: Sequence[str | os.PathLike[str]], tree: str) -> tuple[list[RootFile], list[Fault]]:
    """The files behind names, patterns and addresses, patterns sorted; and what is wrong with them.

    A name may end with the tree, as in `file.root:tree`, which goes before `tree`.
    """
    found: dict[RootFile, None] = {}
    faults: list[Fault] = []
    for name in names:
        path, own = _split(os.fspath(name))
        matched = _expanded(path)
        if not matched:
            faults.append(Fault(path, "matches no file"))
        for each in matched:
            file = RootFile(each, own or tree)
            what = damage(each) if file.is_local else None
            if file in found:
                faults.append(Fault(each, "is named twice: its events would be read twice"))
            elif what is not None:
                faults.append(what)
            found[file] = None
    return list(found), faults


def _split(name: str) -> tuple[str, str]:
    """The path and the tree of `file.root:tree`."""
    path, colon, tree = name.rpartition(".root:")
    return (f"{path}.root", tree) if colon else (name, "")


def _expanded(path: str) -> list[str]:
    """The files that a pattern matches, in order, or the one that is named."""
    if REMOTE.match(path):
        return [path]
    path = str(Path(path).expanduser())
    if glob.has_magic(path) and not Path(path).exists():
        return sorted(glob.glob(path, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute patterns
    return [path]


def damage(path: str) -> Fault | None:
    """What keeps a local file from being read, as far as its header says."""
    file = Path(path)
    if not file.exists():
        beside = (each.name for each in file.parent.glob("*.root")) if file.parent.is_dir() else ()
        return Fault(path, "there is no such file", nearest(file.name, beside))
    if file.is_dir():
        return Fault(path, "is a folder", f"name the files in it: {path.rstrip('/')}/*.root")
    try:
        with file.open("rb") as stream:
            header = stream.read(20)
        size = file.stat().st_size
    except OSError as error:
        return Fault(path, f"cannot be read: {error.strerror or error}")
    if not header:
        return Fault(path, "is empty, and no ROOT file")
    if header[:4] != b"root":
        return Fault(path, f"is no ROOT file: it begins with {header[:4]!r}, not with b'root'")
    end = _end(header)
    if end is None or size < end:
        whole = f" of {end}" if end is not None else ""
        return Fault(path, f"is truncated: it has {size}{whole} bytes", "copy or make it again")
    return None


def _end(header: bytes) -> int | None:
    """The size that a file says it has."""
    if len(header) < 20:
        return None
    (version,) = struct.unpack_from(">i", header, 4)
    (end,) = struct.unpack_from(">q" if version >= BIG else ">i", header, 12)
    return int(end)
