"""Events from ROOT files: TTree or RNTuple, read by uproot a chunk at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, TypeAlias

from eventbraid.errors import DataError, Fault, nearest
from eventbraid.event import Output
from eventbraid.parameters import Parameter
from eventbraid.sources.base import Entry, Source
from eventbraid.sources.root.files import RootFile, find_files
from eventbraid.sources.root.identity import event_ids, identity_branches
from eventbraid.sources.root.layouts import Offsets, unpack
from eventbraid.sources.root.products import Branches, Product, choose, declared, shape_faults
from eventbraid.sources.root.tree import Branch, Chunk, Tree, TreeError, open_tree

__all__ = ["RootSource"]

Files: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"
SIZE: Final = re.compile(r"\d+(\.\d+)? *[kMG]?i?B", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is read of which files, after a look into the first of them."""

    files: Sequence[RootFile]
    products: Sequence[Product]
    identity: dict[str, str]
    branches: dict[str, Branch]
    entries: int
    """Of the first file."""


class RootSource(Source):
    """Events of ROOT files, one an entry of a TTree or an RNTuple: `RootSource("nano.root:Events", branches="Jet_*")`.

    `branches` says what the products are. Names and patterns make each branch a product of its own name. In a
    dict, a name makes one product of a branch, a pattern or a list a dict of branches, a `Record` a dataclass.
    A number is a NumPy scalar of the branch's type, a bool or a string Python's own, anything longer a NumPy
    array, or a list of arrays. Events have the run, lumi and event of branches, by default of NanoAOD's; without
    them run 1, lumi 1, and their number over all files, from 1. All files must have the branches and types of
    the first one. Needs the extra "root".
    """

    files = Parameter[Any](doc="names, patterns or addresses, each as it is or as file.root:tree")
    branches = Parameter[Any](doc="branches, or a dict of products: branch, list of branches or Record")
    tree = Parameter("", doc="the name of the tree; may be left out where a file has one")
    run = Parameter[str | None](None, doc="the branch with the run; None: 'run' if there is one; '': none")
    lumi = Parameter[str | None](
        None, doc="the branch with the lumi; None: 'luminosityBlock' if there is one; '': none"
    )
    event = Parameter[str | None](None, doc="the branch with the event number; None: 'event' if there is one; '': none")
    chunk = Parameter[Any]("16 MB", doc="what is read at a time: a number of entries, or bytes as in '16 MB'")
    events = Parameter[int | None](None, ge=0, doc="how many events; None: all")

    def __init__(self, files: Files = (), *, branches: Branches = (), **settings: Any) -> None:
        super().__init__(files=files, branches=branches, **settings)
        self._made_from = ((), {"files": files, "branches": branches, **settings})
        self._contents: _Contents | None = None
        if not (names := _file_names(files)):
            self._fault(f"files must name at least one file, not {files!r}")
        self._files = names
        for what, hint in shape_faults(branches):
            self._fault(what, hint)
        if not _is_size(self.chunk):
            self._fault(f"chunk must be a number of entries above 0, or bytes as in '16 MB', not {self.chunk!r}")

    def _take(self, settings: dict[str, Any]) -> None:
        """Products are known by the files, not by the class."""

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the settings, or else with the files: each is looked at, and the first is opened."""
        if found := super().faults():
            return found
        self._contents, faults = self._look()
        name = type(self).__name__
        return tuple(Fault(name, f"{each.where}: {each.what}", each.hint) for each in dict.fromkeys(faults))

    def outputs(self) -> Iterator[tuple[str, Output[Any]]]:
        """A product for each name; its type is known where the first file can be read."""
        known = self._known()
        products = {each.name: each.type for each in known.products} if known is not None else {}
        for name, kind in (products or dict(declared(self.branches) if not super().faults() else ())).items():
            make: Any = Output
            output = make[kind]()
            output.name = name
            yield name, output

    def count(self) -> int | None:
        known = self._known()
        if known is None or len(known.files) > 1:
            return None
        return known.entries if self.events is None else min(known.entries, self.events)

    def partitions(self) -> Iterator[Iterable[Entry]]:
        known = self._known()
        if known is None:
            self.check()
            raise AssertionError("what cannot be read has faults")
        number = 1
        last = self.events
        for file in known.files:
            if last is not None and number > last:
                return
            with open_tree(file) as tree:
                _check_same(tree, known)
                stop = tree.entries if last is None else min(tree.entries, last - number + 1)
                for chunk in tree.chunks(list(known.branches), stop, self.chunk):
                    yield _entries(chunk, known, number, tree)
                    number += chunk.length

    def _known(self) -> _Contents | None:
        if self._contents is None and not super().faults():
            self._contents, _ = self._look()
        return self._contents

    def _look(self) -> tuple[_Contents | None, list[Fault]]:
        files, faults = find_files(self._files, self.tree)
        if not files or any(fault.where == files[0].path for fault in faults):
            return None, faults
        try:
            with open_tree(files[0]) as tree:
                products, found = choose(self.branches, tree)
                identity, wrong = identity_branches({"run": self.run, "lumi": self.lumi, "event": self.event}, tree)
                faults += found + wrong
                if found or wrong:
                    return None, faults
                names = dict.fromkeys([*(name for each in products for name in each.branches), *identity.values()])
                branches = {name: tree.branch(name) for name in names}
                return _Contents(files, products, identity, branches, tree.entries), faults
        except TreeError as error:
            return None, [*faults, error.fault]


def _entries(chunk: Chunk, known: _Contents, number: int, tree: Tree) -> Iterable[Entry]:
    """The entries of a chunk, made one by one as they are gone through."""
    ids = event_ids(chunk, known.identity, number, tree)
    offsets: Offsets = {}
    columns = [each.make([_values(name, chunk, offsets, tree) for name in each.branches]) for each in known.products]
    names = tuple(each.name for each in known.products)
    products = map(dict, map(zip, repeat(names), zip(*columns, strict=True)))
    return map(Entry._make, zip(ids, products, strict=True))


def _values(name: str, chunk: Chunk, offsets: Offsets, tree: Tree) -> Iterable[object]:
    try:
        return unpack(chunk.layouts[name], offsets)
    except Exception as error:
        what = f"not UTF-8: {error.object!r}" if isinstance(error, UnicodeDecodeError) else str(error)
        where = f"{tree.file}, branch {name!r}, entries {chunk.first} to {chunk.first + chunk.length - 1}"
        raise DataError(f"{where}: there is {what}") from error


def _check_same(tree: Tree, known: _Contents) -> None:
    """Raise `DataError` with every branch that is not as in the first file."""
    faults: list[Fault] = []
    for name, first in known.branches.items():
        if tree.find(name) is None:
            hint = nearest(name, tree.names)
            faults.append(Fault(str(tree.file), f"has no branch {name!r}, which {known.files[0].path} has", hint))
        elif (branch := tree.branch(name)).type != first.type:
            what = f"branch {name!r} is {branch.typename}, and {first.typename} in {known.files[0].path}"
            faults.append(Fault(str(tree.file), what, "read them in jobs of their own"))
    if faults:
        raise DataError("; ".join(map(str, faults)))


def _file_names(files: object) -> list[str | os.PathLike[str]]:
    """The names as a list, empty where they are none."""
    names: Any = [files] if isinstance(files, (str, os.PathLike)) else files
    if not isinstance(names, Sequence) or isinstance(names, bytes):
        return []
    return list(names) if all(isinstance(each, (str, os.PathLike)) and str(each).strip() for each in names) else []


def _is_size(size: object) -> bool:
    if isinstance(size, str):
        return SIZE.fullmatch(size.strip()) is not None
    return isinstance(size, int) and not isinstance(size, bool) and size > 0
