"""A tree of a ROOT file, TTree or RNTuple, read in chunks; what uproot raises becomes an error that names the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from eventbraid.errors import DataError, EventbraidError, Fault, nearest, need_extra
from eventbraid.sources.root.files import RootFile
from eventbraid.sources.root.layouts import NoProduct, product_type

__all__ = ["Branch", "Chunk", "Tree", "TreeError", "open_tree"]

LEAVE: Final = "leave it out"
NEEDS: Final = {
    "http": "pip install aiohttp requests",
    "https": "pip install aiohttp requests",
    "root": "pip install fsspec-xrootd",
}
"""What uproot needs for files of other machines, by the scheme of their address."""
TREES: Final = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")


class TreeError(DataError):
    """Something of a file, a tree or a branch cannot be read; `fault` says what."""

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        self.fault = Fault(where, what, hint)
        super().__init__(str(self.fault))


class Branch(NamedTuple):
    """A branch, or a field of an RNTuple: its type in C++, and that of the products that are made of it."""

    typename: str
    type: Any


class Chunk(NamedTuple):
    """Some entries of a tree, the first of them counted from 0, as an awkward layout for each branch."""

    first: int
    length: int
    layouts: dict[str, Any]


class Tree:
    """What `open_tree` has opened: the names of the branches, how many entries there are, and these in chunks."""

    def __init__(self, file: RootFile, tree: Any) -> None:
        self.file = file
        self._tree = tree
        self._fields: dict[str, Any] = dict(_fields(tree))
        self.names = tuple(self._fields)
        """Of every branch that holds data; `branch/below` where there are several that are named `below`."""
        self.entries = int(tree.num_entries)

    def find(self, name: str) -> str | None:
        """The name in `names` of a branch, which may also be written with all that it lies in."""
        if name in self._fields:
            return name
        return next((each for each, field in self._fields.items() if _path(field, self._tree) == name), None)

    def branch(self, name: str) -> Branch:
        """The types of a branch that `find` finds; raises `TreeError` for one that cannot be read."""
        where = f"{self.file}: branch {name!r}"
        try:
            field = self._fields[self.find(name) or name]
            typename = str(field.typename or "a record")
            written = getattr(field, "num_entries", self.entries)
            kind = product_type(_form(self._tree, field))
        except NoProduct as error:
            what = f"is {error} to awkward, which no product can hold"
            raise TreeError(where, what, LEAVE) from error
        except Exception as error:
            raise TreeError(where, f"cannot be read by uproot: {_line(error)}", LEAVE) from error
        if written < self.entries:
            raise TreeError(where, f"has {written} entries, and the tree {self.entries}", "make the file again")
        return Branch(typename, kind)

    def chunks(self, names: Sequence[str], stop: int, size: int | str) -> Iterator[Chunk]:
        """The entries before `stop`, so many at a time, or so many bytes; raises `TreeError`."""
        first = 0
        paths = {name: self._path(name) for name in names}
        try:
            chunks = self._tree.iterate(list(paths.values()), entry_stop=stop, step_size=size, library="ak")
        except Exception as error:
            raise self._unreadable(names, first, stop, error) from error
        while first < stop:
            try:
                array = next(chunks, None)
            except Exception as error:
                raise self._unreadable(names, first, stop, error) from error
            if array is None:
                raise TreeError(str(self.file), f"ends after {first} of {stop} entries", "make the file again")
            yield Chunk(first, len(array), {name: array[path].layout for name, path in paths.items()})
            first += len(array)

    def _path(self, name: str) -> str:
        return _path(self._fields[self.find(name) or name], self._tree)

    def _unreadable(self, names: Sequence[str], first: int, stop: int, error: Exception) -> TreeError:
        """The error for the first branch that cannot be read."""
        for name in names:
            try:
                for _ in self._tree.iterate([self._path(name)], entry_start=first, entry_stop=stop, library="ak"):
                    pass
            except Exception as own:  # noqa: BLE001  # it is the one that is looked for
                where = f"{self.file}, branch {name!r}, from entry {first} on"
                return TreeError(where, f"cannot be read: {_line(own)}")
        return TreeError(f"{self.file}, from entry {first} on", f"cannot be read: {_line(error)}")


@contextmanager
def open_tree(file: RootFile) -> Generator[Tree]:
    """The tree of a file, or its only one; raises `TreeError` for a file or a tree that cannot be opened."""
    uproot: Any = need_extra("uproot", "root", "RootSource")
    need_extra("awkward", "root", "RootSource")
    try:
        opened = uproot.open({file.path: None})  # a bare name would be split at its colons
    except ImportError as error:
        raise TreeError(file.path, f"cannot be read: {_line(error)}", NEEDS.get(file.scheme, "")) from error
    except Exception as error:
        what = "cannot be read as a ROOT file" if file.is_local else "cannot be read"
        raise TreeError(file.path, f"{what}: {_line(error)}") from error
    with opened:
        try:
            name = _choose(file, opened.classnames(recursive=True, cycle=False))
            tree = Tree(RootFile(file.path, name), opened[name])
        except EventbraidError:
            raise
        except Exception as error:
            raise TreeError(str(file), f"cannot be read: {_line(error)}") from error
        yield tree


def _choose(file: RootFile, classes: dict[str, str]) -> str:
    """The name of the tree that is meant; raises `TreeError` with those that there are."""
    trees = [name for name, cls in classes.items() if cls in TREES]
    if file.tree:
        wanted = file.tree.partition(";")[0].strip("/")
        if wanted in trees:
            return wanted
        what = f"is {classes[wanted]}, not a tree" if wanted in classes else "is not in it"
        raise TreeError(file.path, f"tree {file.tree!r} {what}", nearest(wanted, trees) or "it has no tree")
    if len(trees) == 1:
        return trees[0]
    if not trees:
        raise TreeError(file.path, "holds no tree")
    named = ", ".join(repr(each) for each in trees)
    raise TreeError(file.path, f"holds {len(trees)} trees: {named}", f"name one: tree={trees[0]!r}")


def _fields(tree: Any) -> Iterator[tuple[str, Any]]:
    """The branches of a tree that hold data, or the fields of an RNTuple, by the shortest name that is unique."""
    if hasattr(tree, "fields"):
        yield from ((field.name, field) for field in tree.fields)
        return
    leaves = [branch for branch in tree.itervalues(recursive=True) if not branch.branches]
    times = Counter(branch.name for branch in leaves)
    for branch in leaves:
        yield branch.name if times[branch.name] == 1 else _path(branch, tree), branch


def _path(field: Any, tree: Any) -> str:
    """The name of a branch with all that it lies in: `branch/below`."""
    parent = getattr(field, "parent", tree)
    return field.name if parent is tree or hasattr(tree, "fields") else f"{_path(parent, tree)}/{field.name}"


def _form(tree: Any, field: Any) -> Any:
    """The awkward form of a branch."""
    if hasattr(tree, "to_akform"):
        form, _ = tree.to_akform(filter_name=field.name)
        return form.content(field.name)
    return field.interpretation.awkward_form(tree.file)


def _line(error: BaseException) -> str:
    """The first line of an error that may have many."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip(':')}" if lines else type(error).__name__
