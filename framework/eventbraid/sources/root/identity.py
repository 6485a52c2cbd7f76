"""Which event an entry is: from branches, or by its number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, Final

import numpy as np

from eventbraid.errors import DataError, Fault, nearest, need_extra
from eventbraid.event import EventID
from eventbraid.sources.root.tree import Chunk, Tree, TreeError

__all__ = ["event_ids", "identity_branches"]

NANOAOD: Final = {"run": "run", "lumi": "luminosityBlock", "event": "event"}
LAST: Final = {"run": 2**63 - 1, "lumi": 2**63 - 1, "event": 2**64 - 1}
"""The largest that outputs can write."""


def identity_branches(wanted: Mapping[str, str | None], tree: Tree) -> tuple[dict[str, str], list[Fault]]:
    """The branches of run, lumi and event, as far as there are some, and what is wrong with these.

    None stands for NanoAOD's name where the tree has it, an empty name for no branch.
    """
    found: dict[str, str] = {}
    faults: list[Fault] = []
    for part, name in wanted.items():
        if name == "":
            continue
        branch = tree.find(NANOAOD[part] if name is None else name)
        if branch is None:
            if name is not None:
                faults.append(
                    Fault(str(tree.file), f"has no branch {name!r} with the {part}", nearest(name, tree.names))
                )
            continue
        try:
            kind = tree.branch(branch)
        except TreeError as error:
            faults.append(error.fault)
            continue
        if not (isinstance(kind.type, type) and issubclass(kind.type, np.integer)):
            what = f"branch {branch!r} is {kind.typename}, and the {part} must be a whole number"
            faults.append(Fault(str(tree.file), what, f"{part}='' does without"))
        else:
            found[part] = branch
    return found, faults


def event_ids(chunk: Chunk, branches: Mapping[str, str], number: int, tree: Tree) -> Iterable[EventID]:
    """The identities of a chunk's entries, the first of which has this number; raises `DataError` for one below 1."""
    ak: Any = need_extra("awkward", "root", "RootSource")
    parts: dict[str, Iterable[int]] = {
        "run": repeat(1, chunk.length),
        "lumi": repeat(1, chunk.length),
        "event": range(number, number + chunk.length),
    }
    for part, branch in branches.items():
        values = ak.to_numpy(chunk.layouts[branch])
        wrong = np.flatnonzero((values < 1) | (values > LAST[part]))
        if len(wrong):
            entry = chunk.first + int(wrong[0])
            what = f"the {part} in branch {branch!r} is {values[wrong[0]]}, and must be from 1 to {LAST[part]}"
            hint = f"{part}='' numbers events by entry" if part == "event" else f"{part}='' takes 1 for all"
            raise DataError(f"{tree.file}, entry {entry}: {what} ({hint})")
        parts[part] = values.tolist()
    return map(EventID, parts["run"], parts["lumi"], parts["event"])
