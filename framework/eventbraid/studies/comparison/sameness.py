"""Are the products of two runs the same, bit for bit? If not: in which file, column and event do they first differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid.studies.comparison.measurement import Measurement

__all__ = ["Difference", "differences", "first_difference", "parquet_differences"]

Place: TypeAlias = tuple[int, ...]
"""A row, then the places in its lists from outside."""

MOST: int = 100
"""Differences of decisions that are told of two runs."""
ROWS: int = 4096


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two runs did not do alike."""

    file: str
    """The output's file, or "paths", "events", "failures" of the report."""
    column: str
    event: str
    expected: str
    found: str
    run: str
    """The run that differs."""
    reference: str

    def __str__(self) -> str:
        where = [self.file, self.column and f"column {self.column}", self.event and f"event {self.event}"]
        place = ", ".join(part for part in where if part)
        return f"{place}: {self.expected} in {self.reference}, {self.found} in {self.run}"


def differences(reference: Measurement, other: Measurement) -> Iterator[Difference]:
    """What another run did otherwise than the reference: counts, failures, decisions and products."""

    def difference(file: str, column: str, event: str, expected: object, found: object) -> Difference:
        return Difference(file, column, event, str(expected), str(found), other.name, reference.name)

    for name in ("events", "paths"):
        for key, expected in reference.report[name].items():
            if (found := other.report[name].get(key)) != expected:
                yield difference(name, key, "", expected, found)
    for ours, theirs in zip(reference.report["failures"], other.report["failures"], strict=False):
        if ours != theirs:
            yield difference("failures", "", ours["event"], _failure(ours), _failure(theirs))
            break
    if reference.report["errors"] != other.report["errors"]:
        yield difference("failures", "", "", reference.report["errors"], other.report["errors"])
    yield from (difference(*each) for each in _decisions(reference, other))
    for name, file in reference.files.items():
        for column, event, expected, found in parquet_differences(file, other.files[name]):
            yield difference(name, column, event, expected, found)


def _failure(failure: dict[str, str]) -> str:
    return f"{failure['error']} (module {failure['module']!r}, event {failure['event']})"


def _decisions(reference: Measurement, other: Measurement) -> Iterator[tuple[str, str, str, str, str]]:
    ours, theirs = ({event: ends for event, *ends in run.decisions} for run in (reference, other))
    names = list(reference.report["paths"])
    told = 0
    for event in {**ours, **theirs}:
        here, there = ours.get(event), theirs.get(event)
        if here == there:
            continue
        if told == MOST:
            return
        told += 1
        if here is None or there is None:
            yield "paths", "", event, "absent" if here is None else "present", "absent" if there is None else "present"
            continue
        for name, expected, found in zip(names, here, there, strict=True):
            if expected != found:
                yield "paths", name, event, expected, found


def parquet_differences(reference: Path, other: Path) -> Iterator[tuple[str, str, str, str]]:
    """The first difference of each column: column, event, and both values; the first row decides where rows differ.

    Values are the same where all their bits are: a NaN equals a NaN of the same bits, and 0.0 is not -0.0.
    """
    parquet: Any = need_extra("pyarrow.parquet", "parquet", "comparing products")
    with parquet.ParquetFile(reference) as ours, parquet.ParquetFile(other) as theirs:
        types = [{each.name: str(each.type) for each in file.schema_arrow} for file in (ours, theirs)]
        for name in {**types[0], **types[1]}:
            if types[0].get(name) != types[1].get(name):
                yield name, "", types[0].get(name, "no such column"), types[1].get(name, "no such column")
        rows = [file.metadata.num_rows for file in (ours, theirs)]
        if rows[0] != rows[1]:
            yield "", "", f"{rows[0]} rows", f"{rows[1]} rows"
        left = [name for name in types[0] if types[0][name] == types[1].get(name)]
        for mine, yours in zip(ours.iter_batches(ROWS), theirs.iter_batches(ROWS), strict=False):
            for name in list(left):
                place = first_difference(mine[name], yours[name])
                if place is None:
                    continue
                left.remove(name)
                yield _told(name, place, mine, yours)
                if name in ("run", "lumi", "event"):
                    return


def _told(name: str, place: Place, ours: Any, theirs: Any) -> tuple[str, str, str, str]:
    event = ":".join(str(ours[each][place[0]].as_py()) for each in ("run", "lumi", "event"))
    expected, found = (_text(batch[name], place) for batch in (ours, theirs))
    if expected == found:
        found += " of other bits"
    return name + "".join(f"[{index}]" for index in place[1:]), event, expected, found


def _text(array: Any, place: Place) -> str:
    value = array[place[0]].as_py()
    for index in place[1:]:
        value = value[index]
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def first_difference(ours: Any, theirs: Any) -> Place | None:
    """The first place in which two Arrow arrays of one type do not have the same bits."""
    pa: Any = need_extra("pyarrow", "parquet", "comparing products")
    length = min(len(ours), len(theirs))
    ours, theirs = ours.slice(0, length), theirs.slice(0, length)
    here, there = (array.is_valid().to_numpy(zero_copy_only=False) for array in (ours, theirs))
    found = [_first(here != there)]
    if pa.types.is_list(ours.type):
        lengths = [array.value_lengths().fill_null(0).to_numpy() for array in (ours, theirs)]
        found.append(_first(lengths[0] != lengths[1]))
        inner = first_difference(ours.flatten(), theirs.flatten())
        if inner is not None:
            ends = np.cumsum(lengths[0])
            row = int(np.searchsorted(ends, inner[0], side="right"))
            found.append((row, inner[0] - int(ends[row] - lengths[0][row]), *inner[1:]))
    else:
        both = here & there
        bits = [_bits(array.filter(pa.array(both))) for array in (ours, theirs)]
        place = _first(bits[0] != bits[1])
        found.append(None if place is None else (int(np.flatnonzero(both)[place[0]]),))
    return min((place for place in found if place is not None), default=None)


def _bits(array: Any) -> NDArray[Any]:
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values.view(f"u{values.dtype.itemsize}") if values.dtype.kind == "f" else values


def _first(differs: Sequence[bool] | NDArray[Any]) -> Place | None:
    places = np.flatnonzero(differs)
    return (int(places[0]),) if len(places) else None
