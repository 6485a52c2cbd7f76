"""Which products a user wants of which branches."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from eventbraid.errors import Fault, nearest
from eventbraid.fitting import fits, type_name
from eventbraid.sources.root.tree import Tree, TreeError

__all__ = ["Branches", "Product", "Record", "choose", "declared", "shape_faults"]

T = TypeVar("T")


class Record(Generic[T]):
    """A dataclass as a product, each field read from a branch.

    `Record(Jets, "Jet_")` reads `Jet_pt`, `Jet_eta` and so on, as NanoAOD names the branches of the fields
    `pt`, `eta`; `Record(Jets, px="Jet_Px")` names the branch of a field, and without a prefix that of each field
    that has no default. The fields' types must fit the branches'.
    """

    def __init__(self, cls: type[T], prefix: str = "", /, **branches: str) -> None:
        self.cls = cls
        self.prefix = prefix
        self.branches = branches

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it, and the hint, without having seen a file."""
        cls: Any = self.cls
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            yield f"a Record needs a dataclass, not {cls!r}", ""
            return
        fields = _fields(cls)
        branches: Any = self.branches
        for name, branch in branches.items():
            if name not in fields:
                yield f"{cls.__name__} has no field {name!r}", nearest(name, fields)
            elif not isinstance(branch, str):
                yield f"field {name!r} must name a branch, not {branch!r}", ""
        if missing := [
            name for name, needed in fields.items() if needed and not (self.prefix or name in self.branches)
        ]:
            yield f"field {missing[0]!r} of {cls.__name__} has no branch", f"write {missing[0]}='branch', or a prefix"

    def wanted(self) -> dict[str, str]:
        """The branch of each field that is read."""
        fields = _fields(self.cls) if self.prefix else self.branches
        return {name: self.branches.get(name, f"{self.prefix}{name}") for name in fields}

    def __repr__(self) -> str:
        named = [f"{name}={branch!r}" for name, branch in self.branches.items()]
        cls = getattr(self.cls, "__name__", repr(self.cls))
        return f"Record({', '.join([cls, *([repr(self.prefix)] if self.prefix else []), *named])})"


Branches: TypeAlias = "str | Sequence[str] | Mapping[str, str | Sequence[str] | Record[Any]]"

Make: TypeAlias = Callable[[Sequence[Iterable[object]]], Iterable[object]]
"""Makes a product of every event of the values of each branch."""


@dataclasses.dataclass(frozen=True, slots=True)
class Product:
    """A product: its name, its type, its branches, and what makes it of their values in an event."""

    name: str
    type: Any
    branches: tuple[str, ...]
    make: Make


def shape_faults(branches: object) -> Iterator[tuple[str, str]]:
    """What is wrong with what a user wrote for `branches`, and the hint, without having seen a file."""
    if not isinstance(branches, Mapping):
        if not _are_names(branches):
            yield f"branches must be names of branches, or a dict of products, not {branches!r}", ""
        return
    if not branches:
        yield "branches names no branch", "an event without products comes from EmptySource"
    for name, value in branches.items():
        if not (isinstance(name, str) and name.isidentifier()):
            yield f"a product's name must be one of letters, digits and underscores, not {name!r}", ""
        if isinstance(value, Record):
            for what, hint in value.faults():
                yield f"product {name!r}: {what}", hint
        elif not _are_names(value):
            yield f"product {name!r} must be a branch, a list of branches or a Record, not {value!r}", ""


def declared(branches: Branches) -> Iterator[tuple[str, Any]]:
    """The products that are known without a file, and their types as far as they are."""
    if isinstance(branches, Mapping):
        for name, value in branches.items():
            yield name, value.cls if isinstance(value, Record) else Any
    else:
        yield from ((name, Any) for name in _names(branches) if not _is_pattern(name))


def choose(branches: Branches, tree: Tree) -> tuple[list[Product], list[Fault]]:
    """The products of the branches of a tree, and what is wrong with these."""
    if isinstance(branches, Mapping):
        found = [_product(name, value, tree) for name, value in branches.items()]
        return [product for product, _ in found if product is not None], [each for _, some in found for each in some]
    products: list[Product] = []
    names, faults = _found(_names(branches), tree)
    for name in dict.fromkeys(names):
        if not name.isidentifier():
            hint = f"give it one: branches={{'name': {name!r}}}"
            faults.append(Fault(str(tree.file), f"branch {name!r} has a name that no product can have", hint))
            continue
        product, some = _product(name, name, tree)
        faults += some
        products += [product] if product is not None else []
    return products, faults


def _product(name: str, value: str | Sequence[str] | Record[Any], tree: Tree) -> tuple[Product | None, list[Fault]]:
    record = value if isinstance(value, Record) else None
    names, faults = _found(value.wanted().values() if isinstance(value, Record) else _names(value), tree)
    types: dict[str, Any] = {}
    for each in dict.fromkeys(names):
        try:
            types[each] = tree.branch(each).type
        except TreeError as error:
            faults.append(error.fault)
    if faults:
        return None, faults
    if record is not None:
        fields = dict(zip(record.wanted(), names, strict=True))
        return Product(name, record.cls, tuple(names), _records(record.cls, tuple(fields))), _unfit(
            record, fields, types, tree
        )
    if isinstance(value, str) and not _is_pattern(value):
        return Product(name, types[names[0]], tuple(names), lambda columns: columns[0]), []
    keys = tuple(types)
    return Product(name, dict[str, Any], keys, _dicts(keys)), []


def _records(cls: Any, fields: tuple[str, ...]) -> Make:
    return lambda columns: (cls(**dict(zip(fields, values, strict=True))) for values in zip(*columns, strict=True))


def _dicts(keys: tuple[str, ...]) -> Make:
    return lambda columns: (dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True))


def _unfit(record: Record[Any], fields: Mapping[str, str], types: Mapping[str, Any], tree: Tree) -> list[Fault]:
    """The fields whose declared types do not fit their branches."""
    try:
        hints = typing.get_type_hints(record.cls)
    except Exception:  # noqa: BLE001  # annotations of a function's own names cannot be looked up
        return []
    faults: list[Fault] = []
    for field, branch in fields.items():
        if not fits(types[branch], hints[field]):
            wanted, given = type_name(hints[field]), type_name(types[branch])
            what = f"branch {branch!r} is {given}, and field {field!r} of {record.cls.__name__} {wanted}"
            faults.append(Fault(str(tree.file), what, f"declare the field as {given}"))
    return faults


def _found(wanted: Iterable[str], tree: Tree) -> tuple[list[str], list[Fault]]:
    """The branches of names and patterns, and those that are not there."""
    found: list[str] = []
    faults: list[Fault] = []
    for name in wanted:
        branch = tree.find(name)
        matched = [branch] if branch is not None else fnmatch.filter(tree.names, name) if _is_pattern(name) else []
        if not matched:
            what = f"has no branch that matches {name!r}" if _is_pattern(name) else f"has no branch {name!r}"
            faults.append(Fault(str(tree.file), what, nearest(name, tree.names)))
        found += matched
    return found, faults


def _fields(cls: Any) -> dict[str, bool]:
    """The fields that a dataclass is made of, and whether each must be given."""
    absent = dataclasses.MISSING
    return {
        field.name: field.default is absent and field.default_factory is absent
        for field in dataclasses.fields(cls)
        if field.init
    }


def _names(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")


def _are_names(value: object) -> bool:
    """True for a name, or a list of some."""
    names = [value] if isinstance(value, str) else value
    return isinstance(names, Sequence) and bool(names) and all(isinstance(each, str) and each for each in names)
