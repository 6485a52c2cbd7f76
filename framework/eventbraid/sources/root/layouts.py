"""Awkward arrays, taken apart: what each entry of one is as a product, and the type of that.

A number is a NumPy scalar, a bool or a string is Python's own, a list or a fixed array of numbers is a NumPy
array, deeper lists are lists of these, and records are dicts by field, of arrays where they stand in a list.
Arrays are read-only views of the chunk that was read: nothing is copied, and no array is made before its
event is.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra

__all__ = ["NoProduct", "Offsets", "product_type", "unpack"]

Offsets: TypeAlias = dict[bytes, list[int]]
"""Where the lists of a chunk begin, known by the array's bytes: branches of one collection share theirs."""


class NoProduct(Exception):
    """What no product can hold; the text names it."""


def product_type(form: Any) -> Any:
    """The type of the products that `unpack` makes of arrays of an awkward form; raises `NoProduct`."""
    if _is_string(form):
        return str
    if form.is_record:
        for field in form.fields:
            product_type(form.content(field))
        return dict[str, Any]
    if (dtype := _dtype(form)) is not None:
        if not form.is_numpy or form.inner_shape:
            return _array_type(dtype)
        return bool if dtype == np.bool_ else dtype.type
    if not form.is_list:
        raise NoProduct(str(form.type))
    if (dtype := _dtype(form.content)) is not None:
        return _array_type(dtype)
    inner = product_type(form.content)
    return inner if form.content.is_record else types.GenericAlias(list, (inner,))


def unpack(layout: Any, offsets: Offsets) -> Iterable[object]:
    """What each entry of an awkward layout is as a product; raises `UnicodeDecodeError` for a string that is none."""
    if layout.is_record:
        return _zipped(layout.fields, [unpack(layout[field], offsets) for field in layout.fields], len(layout))
    if layout.is_list and not _is_string(layout) and layout.content.is_record:
        ak: Any = need_extra("awkward", "root", "RootSource")
        lists = layout.to_ListOffsetArray64(True)
        records = lists.content
        columns = [
            unpack(ak.contents.ListOffsetArray(lists.offsets, records[each]), offsets) for each in records.fields
        ]
        return _zipped(records.fields, columns, len(layout))
    values: Iterable[object] = _sequence(layout, offsets)
    if isinstance(values, np.ndarray) and values.dtype == np.bool_ and values.ndim == 1:
        return list(values.tolist())
    return values


def _sequence(layout: Any, offsets: Offsets) -> Any:
    """What has an item for each entry: an array, or what is gone through once."""
    if _is_string(layout):
        data, bounds = layout.to_ListOffsetArray64(False).content.data.tobytes(), _bounds(layout, offsets)
        return [data[first:last].decode() for first, last in pairwise(bounds)]
    if _dtype(layout.form) is not None:
        return _whole(layout, offsets)
    bounds = _bounds(layout, offsets)
    inner = layout.to_ListOffsetArray64(False).content
    values: Any = _whole(inner, offsets)
    return map(values.__getitem__, map(slice, bounds, bounds[1:]))


def _whole(layout: Any, offsets: Offsets) -> Any:
    """All entries at once, as an array that cannot be written to, or a list."""
    if _dtype(layout.form) is None:
        return list(unpack(layout, offsets))
    ak: Any = need_extra("awkward", "root", "RootSource")
    array: NDArray[Any] = ak.to_numpy(layout, allow_missing=False).view()
    array.flags.writeable = False
    return array


def _bounds(layout: Any, offsets: Offsets) -> list[int]:
    found: NDArray[np.int64] = layout.to_ListOffsetArray64(False).offsets.data
    return offsets.setdefault(found.tobytes(), found.tolist())


def _zipped(fields: Sequence[str], columns: Sequence[Iterable[object]], length: int) -> Iterable[object]:
    if not columns:
        return [{} for _ in range(length)]
    return (dict(zip(fields, values, strict=True)) for values in zip(*columns, strict=True))


def _dtype(form: Any) -> np.dtype[Any] | None:
    """The type of the numbers of an array that has the same shape in each entry; None for anything else."""
    while form.is_regular and not _is_string(form):
        form = form.content
    return np.dtype(form.primitive) if form.is_numpy and form.parameter("__array__") is None else None


def _array_type(dtype: np.dtype[Any]) -> Any:
    array: Any = NDArray
    return array[dtype.type]


def _is_string(form: Any) -> bool:
    return bool(form.parameter("__array__") == "string")
