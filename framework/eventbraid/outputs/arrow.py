"""Columns as Arrow arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eventbraid.errors import DataError, need_extra
from eventbraid.outputs.columns import BYTES, STR, Kind, unfold

__all__ = ["to_arrow"]


def to_arrow(values: Sequence[Any], kind: Kind) -> Any:
    """The values of a column, None for null, as an Arrow array that keeps every bit."""
    pa: Any = need_extra("pyarrow", "parquet", "ParquetOutput")
    absent = np.array([value is None for value in values], np.bool_)
    if kind.depth == 0:
        if kind.dtype in (STR, BYTES):
            return pa.array(list(values), _arrow_type(kind, pa))
        assert kind.dtype is not None, "only lists can be of an unknown kind"
        filled = [kind.dtype.type(0) if value is None else value for value in values]
        return pa.array(np.array(filled, kind.dtype), mask=absent)
    nothing = np.empty((0,) * kind.depth)
    lengths, pieces = unfold([nothing if value is None else value for value in values], kind.depth)
    array = _flat(pieces, kind, pa)
    for level in range(kind.depth - 1, -1, -1):
        offsets = np.concatenate([[0], np.cumsum(lengths[level])])
        if offsets[-1] >= 2**31:
            raise DataError("a column has more than 2^31 numbers in a row group")
        starts = pa.array(offsets.astype(np.int32))
        array = pa.ListArray.from_arrays(starts, array, mask=pa.array(absent) if level == 0 else None)
    return array


def _flat(pieces: Sequence[Any], kind: Kind, pa: Any) -> Any:
    if kind.dtype is None:
        return pa.nulls(0)
    if kind.dtype in (STR, BYTES):
        leaves = [each for piece in pieces for each in (piece.tolist() if isinstance(piece, np.ndarray) else piece)]
        return pa.array(leaves, _arrow_type(Kind(kind.dtype, 0), pa))
    arrays = [np.asarray(piece, kind.dtype) for piece in pieces]
    return pa.array(np.concatenate(arrays) if arrays else np.empty(0, kind.dtype))


def _arrow_type(kind: Kind, pa: Any) -> Any:
    return {STR: pa.string(), BYTES: pa.binary()}[kind.dtype]  # type: ignore[index]  # only called for these
