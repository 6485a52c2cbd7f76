"""Products as columns: which columns a product has, and of which kind each is.

A number, a string or an array is one column, named like the product. A dataclass, a named tuple, a
structured array and a dict are one column a field, `label.field`, and so on inwards. A column's kind is
fixed by the first value in it; None, and a field that is not there, are nulls.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kind", "Mismatch", "columns", "kind_of", "unfold", "unify"]

DType: TypeAlias = np.dtype[Any]

INT, FLOAT, BOOL, STR, BYTES = (np.dtype(each) for each in (np.int64, np.float64, np.bool_, "U", "S"))
SCALARS: dict[type, DType] = {bool: BOOL, int: INT, float: FLOAT, str: STR, bytes: BYTES}


class Mismatch(Exception):
    """A value that cannot stand in its column; the text says what was expected and what was found."""


class Kind(NamedTuple):
    """What the values of a column are: numbers, strings or bytes, and in how many lists within lists."""

    dtype: DType | None
    """None where it is not known yet, because all lists were empty."""
    depth: int

    def __str__(self) -> str:
        named = {STR: "str", BYTES: "bytes", None: "nothing"}
        name = named.get(self.dtype) or str(self.dtype)
        return "lists of " * (self.depth - 1) + "list of " * (self.depth > 0) + name


def columns(label: str, value: object) -> Iterator[tuple[str, object]]:
    """The columns of a product with their values, which are no containers but lists and arrays; None has none."""
    if value is None:
        return
    cls: Any = type(value)
    if isinstance(value, np.ndarray) and value.dtype.names is not None:
        for name in value.dtype.names:
            yield from columns(f"{label}.{name}", value[name])
    elif isinstance(value, dict):
        for name, each in value.items():
            if not isinstance(name, str):
                raise Mismatch(f"{label!r} is a dict with the key {name!r}; only strings can name columns")
            yield from columns(f"{label}.{name}", each)
    elif (names := _fields(cls)) is not None:
        for name in names:
            yield from columns(f"{label}.{name}", getattr(value, name))
    else:
        yield label, value


@functools.cache
def _fields(cls: Hashable) -> tuple[str, ...] | None:
    if not isinstance(cls, type):
        return None
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    return getattr(cls, "_fields", None) if issubclass(cls, tuple) else None


def kind_of(value: object) -> Kind:
    """The kind of a value; raises `Mismatch` for what no column can hold."""
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray):
            raise Mismatch("a masked array, whose mask would be lost; put value.filled()")
        return _array_kind(value.dtype, value.ndim)
    if isinstance(value, np.generic):
        return _array_kind(value.dtype, 0)
    for cls in type(value).__mro__:
        if cls in SCALARS:
            if cls is int and not -(2**63) <= int(value) < 2**63:  # type: ignore[call-overload]
                raise Mismatch(f"the number {value}, which does not fit into 64 bits")
            return Kind(SCALARS[cls], 0)
    if isinstance(value, (list, tuple)):
        return _list_kind(value)
    raise Mismatch(f"{type(value).__name__}, which no column can hold; put numbers, strings, arrays or dataclasses")


@functools.lru_cache(maxsize=1024)
def _array_kind(dtype: DType, depth: int) -> Kind:
    if dtype.kind in "US":
        return Kind(np.dtype(dtype.kind), depth)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise Mismatch(f"{dtype}, which no column can hold")
    return Kind(dtype.newbyteorder("="), depth)


def _list_kind(values: Sequence[object]) -> Kind:
    if {each.__class__ for each in values} == {int, float}:
        return Kind(FLOAT, 1)
    kind = Kind(None, 0)
    for each in values:
        found = kind_of(each)
        kind = found if kind.dtype is None and kind.depth <= found.depth else unify(kind, found)
    return Kind(kind.dtype, kind.depth + 1)


def unify(known: Kind, found: Kind) -> Kind:
    """The kind of a column that holds both; raises `Mismatch` unless one tells only more of the other."""
    if known == found:
        return known
    if known.dtype is None and known.depth <= found.depth:
        return found
    if found.dtype is None and found.depth <= known.depth:
        return known
    raise Mismatch(f"expected {known}, found {found}")


def unfold(values: Sequence[Any], depth: int) -> tuple[list[NDArray[np.int64]], list[Any]]:
    """Lists within lists as the lengths of the lists at each depth, from outside, and the flat pieces."""
    if depth == 0:
        return [], list(values)
    if all(isinstance(value, np.ndarray) for value in values):
        shapes = [value.shape for value in values]
        lengths = [
            np.repeat(
                np.array([shape[level] for shape in shapes], np.int64),
                np.array([math.prod(shape[:level]) for shape in shapes], np.int64),
            )
            for level in range(depth)
        ]
        return lengths, [value.ravel() for value in values]
    outer = np.array([len(value) for value in values], np.int64)
    if depth == 1:
        return [outer], list(values)
    inner, pieces = unfold([each for value in values for each in value], depth - 1)
    return [outer, *inner], pieces
