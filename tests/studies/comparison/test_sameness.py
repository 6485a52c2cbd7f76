"""Products of two runs are compared bit by bit, and the first difference is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eventbraid import EventID
from eventbraid.outputs import ParquetOutput, Row
from eventbraid.outputs.arrow import to_arrow
from eventbraid.outputs.columns import Kind, kind_of
from eventbraid.studies.comparison.measurement import Measurement
from eventbraid.studies.comparison.point import Point, StudyMode
from eventbraid.studies.comparison.sameness import differences, first_difference, parquet_differences

NAN, OTHER_NAN = (np.array([bits], np.uint64).view(np.float64)[0] for bits in (0x7FF8000000000000, 0x7FF8000000000001))


def written(path: Path, products: Sequence[object], first: int = 1) -> Path:
    output = ParquetOutput(path, keep=["x"])
    output.open()
    output.write([Row(EventID(1, 1, first + number), {"x": product}, {}) for number, product in enumerate(products)])
    output.close()
    return path


def compared(folder: Path, ours: Sequence[object], theirs: Sequence[object]) -> list[tuple[str, str, str, str]]:
    return list(parquet_differences(written(folder / "ours", ours), written(folder / "theirs", theirs)))


def run_of(mode: StudyMode, file: Path, **report: Any) -> Measurement:
    counts: dict[str, Any] = {"events": {"read": 1}, "paths": {"p": {"pass": 1}}, "failures": [], "errors": 0}
    return Measurement(Point(mode), 1, counts | report, (), (), (("1:1:1", "pass"),), {"x.parquet": file})


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        ([1.0, 2.0], [1.0, np.nextafter(2, 3)], ("x", "1:1:2", "2.0", "2.0000000000000004")),
        ([0.0], [-0.0], ("x", "1:1:1", "0.0", "-0.0")),
        ([NAN], [OTHER_NAN], ("x", "1:1:1", "nan", "nan of other bits")),
        ([None, 1], [0, 1], ("x", "1:1:1", "None", "0")),
        (["a", "b"], ["a", "c"], ("x", "1:1:2", "'b'", "'c'")),
        ([True], [False], ("x", "1:1:1", "True", "False")),
        ([[1], [2, 3]], [[1], [2, 4]], ("x[1]", "1:1:2", "3", "4")),
        ([[1], [2, 3]], [[1, 2], [3]], ("x", "1:1:1", "a list of 1", "a list of 2")),
        ([np.zeros((2, 2))], [np.array([[0, 0], [1.0, 0]])], ("x[1][0]", "1:1:1", "0.0", "1.0")),
        ([np.zeros(1, "f2")], [np.ones(1, "f2")], ("x[0]", "1:1:1", "0.0", "1.0")),
        ([1], [1.0], ("x", "", "int64", "double")),
        ([{"a": 1}], [{"b": 1}], ("x.a", "", "int64", "no such column")),
    ],
)
def test_a_difference_of_one_bit_is_found_with_column_event_and_values(
    tmp_path: Path, ours: list[object], theirs: list[object], says: tuple[str, ...]
) -> None:
    assert compared(tmp_path, ours, theirs)[0] == says


def test_a_missing_event_is_a_difference_of_rows_and_of_identity(tmp_path: Path) -> None:
    ours, theirs = written(tmp_path / "ours", [1, 2, 3]), written(tmp_path / "theirs", [2, 3], first=2)
    assert list(parquet_differences(ours, theirs)) == [("", "", "3 rows", "2 rows"), ("event", "1:1:1", "1", "2")]


ARRAYS = st.lists(
    st.none() | hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=4)), max_size=6
)


@given(arrays=ARRAYS)
@settings(deadline=None)
def test_equal_products_are_identical(arrays: list[Any]) -> None:
    kind = next((kind_of(array) for array in arrays if array is not None), Kind(None, 2))
    copies = [None if array is None else array.copy() for array in arrays]
    assert first_difference(to_arrow(arrays, kind), to_arrow(copies, kind)) is None


@given(arrays=ARRAYS.filter(lambda arrays: any(array is not None and array.size for array in arrays)), data=st.data())
@settings(deadline=None)
def test_the_bit_that_was_turned_is_the_one_that_is_found(arrays: list[Any], data: st.DataObject) -> None:
    row = data.draw(st.sampled_from([n for n, array in enumerate(arrays) if array is not None and array.size]))
    place = tuple(data.draw(st.integers(0, side - 1)) for side in arrays[row].shape)
    turned = arrays[row].copy()
    turned.view(np.uint32)[place] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    others = [turned if number == row else array for number, array in enumerate(arrays)]
    kind = kind_of(turned)
    assert first_difference(to_arrow(arrays, kind), to_arrow(others, kind)) == (row, *place)


def test_two_runs_that_did_the_same_have_no_differences(tmp_path: Path) -> None:
    ours, theirs = written(tmp_path / "ours", [1]), written(tmp_path / "theirs", [1])
    assert list(differences(run_of("blocking", ours), run_of("async", theirs))) == []


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ({"events": {"read": 2}}, "events, column read: 1 in blocking, run 1, 2 in async, 1 in flight, run 1"),
        (
            {"paths": {"p": {"pass": 0}}},
            "paths, column p: {'pass': 1} in blocking, run 1, {'pass': 0} in async, 1 in flight, run 1",
        ),
        ({"errors": 1}, "failures: 0 in blocking, run 1, 1 in async, 1 in flight, run 1"),
    ],
)
def test_other_counts_and_failures_are_differences(tmp_path: Path, report: Mapping[str, Any], says: str) -> None:
    file = written(tmp_path / "x", [1])
    found = differences(run_of("blocking", file), run_of("async", file, **report))
    assert [str(each) for each in found] == [says]


def test_another_error_in_the_same_event_is_a_difference(tmp_path: Path) -> None:
    file = written(tmp_path / "x", [1])
    ours, theirs = ({"event": "1:1:1", "module": "m", "error": error} for error in ("KeyError", "OSError"))
    found = differences(run_of("blocking", file, failures=[ours]), run_of("async", file, failures=[theirs]))
    assert [each.expected for each in found] == ["KeyError (module 'm', event 1:1:1)"]


def test_another_decision_names_path_and_event(tmp_path: Path) -> None:
    run = run_of("blocking", written(tmp_path / "x", [1]))
    other = dataclasses.replace(run, point=Point("async"), decisions=(("1:1:1", "fail by cut"), ("1:1:2", "pass")))
    assert [str(each) for each in differences(run, other)] == [
        "paths, column p, event 1:1:1: pass in blocking, run 1, fail by cut in async, 1 in flight, run 1",
        "paths, event 1:1:2: absent in blocking, run 1, present in async, 1 in flight, run 1",
    ]
