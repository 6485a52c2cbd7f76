"""ParquetOutput: what is kept comes back, in order, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from eventbraid import ConfigurationError, DataError, Event, EventID, Filter, Input, Job, PathResult, PathState
from eventbraid.outputs import ParquetOutput, Row
from eventbraid.outputs import parquet as module
from eventbraid.testing import ListSource


@dataclass(frozen=True, slots=True)
class Vertex:
    x: float
    hits: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Track:
    pt: NDArray[np.float32]
    charge: int
    vertex: Vertex | None


class Point(NamedTuple):
    x: float
    y: float


PASSED, FAILED = PathResult(PathState.PASS), PathResult(PathState.FAIL, "cut")


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def rows_of(label: str, products: Sequence[object]) -> list[Row]:
    return [Row(EventID(1, 1, number + 1), {label: product}, {}) for number, product in enumerate(products)]


def written(path: Path, label: str, products: Sequence[object]) -> Any:
    output = ParquetOutput(path, keep=[label])
    output.check()
    output.open()
    output.write(rows_of(label, products))
    output.close()
    return pq.read_table(path)


def column(products: Sequence[object], name: str = "x") -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder, "file.parquet"), "x", products)[name]


class Positive(Filter):
    value = Input[float]("value")

    async def filter(self, event: Event) -> bool:
        return event[self.value] > 0


def job_of(events: Sequence[Mapping[str, object]], output: ParquetOutput) -> Job:
    return Job(
        "test", source=ListSource(events), modules={"cut": Positive()}, paths={"positive": ["cut"]}, outputs=[output]
    )


def test_a_job_writes_its_selected_events_in_order_with_identity_and_decisions(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.parquet"
    job_of([{"value": v} for v in (1.0, -1.0, 2.5)], ParquetOutput(path, keep=["value"], select=["positive"])).run()
    assert pq.read_table(path).to_pydict() == {
        "run": [1, 1],
        "lumi": [1, 1],
        "event": [1, 3],
        "path.positive": [True, True],
        "value": [1.0, 2.5],
    }


def test_without_selection_the_decision_of_each_event_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    job_of([{"value": 1.0}, {"value": -1.0}], ParquetOutput(path)).run()
    assert pq.read_table(path)["path.positive"].to_pylist() == [True, False]


def test_no_events_make_a_valid_empty_file_with_path_columns(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    job_of([{"value": 1.0}], ParquetOutput(path, keep=["value"])).run(events=0)
    table = pq.read_table(path)
    assert (len(table), table.column_names) == (0, ["run", "lumi", "event", "path.positive", "value"])
    assert [str(each.type) for each in table.schema] == ["int64", "int64", "uint64", "bool", "null"]


def test_both_modes_write_the_same_bytes(tmp_path: Path) -> None:
    events = [{"value": float(number), "hits": np.arange(number)} for number in range(5)]
    for mode in ("async", "blocking"):
        job_of(events, ParquetOutput(tmp_path / mode, keep=["hits", "value"])).run(mode)
    assert (tmp_path / "async").read_bytes() == (tmp_path / "blocking").read_bytes()


SCALARS = {
    "bool": st.booleans(),
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(),
    "str": st.text(),
    "float32": st.floats(width=32).map(np.float32),
    "uint8": st.integers(0, 255).map(np.uint8),
}


@given(data=st.data(), kind=st.sampled_from(sorted(SCALARS)))
@settings(deadline=None, max_examples=60)
def test_scalars_and_nulls_come_back_as_they_were(data: st.DataObject, kind: str) -> None:
    values = data.draw(st.lists(st.none() | SCALARS[kind], min_size=1, max_size=6))
    found = column(values).to_pylist()
    assert [repr(value) for value in found] == [repr(v.item() if isinstance(v, np.generic) else v) for v in values]


DTYPES = st.sampled_from(["?", "i1", "i4", "<i8", ">i8", "u2", "u8", "f2", "f4", "f8", ">f4"]).map(np.dtype)


@given(data=st.data(), dtype=DTYPES, depth=st.integers(1, 3))
@settings(deadline=None, max_examples=80)
def test_arrays_come_back_with_their_type_shape_and_bits(data: st.DataObject, dtype: np.dtype[Any], depth: int) -> None:
    shapes = st.tuples(*[st.integers(0, 4)] * depth)
    arrays = data.draw(st.lists(st.none() | hnp.arrays(dtype, shapes), min_size=1, max_size=5))
    found = column(arrays)
    leaf = found.type
    for _ in range(depth if any(array is not None for array in arrays) else 0):
        leaf = leaf.value_type
    assert str(leaf) == (
        "null" if all(array is None for array in arrays) else str(pa.from_numpy_dtype(dtype.newbyteorder("=")))
    )
    assert repr(found.to_pylist()) == repr([None if array is None else array.tolist() for array in arrays])


@given(
    tracks=st.lists(
        st.none()
        | st.builds(
            Track,
            hnp.arrays(np.float32, st.integers(0, 3), elements=st.floats(width=32, allow_nan=False)),
            st.sampled_from([-1, 1]),
            st.none() | st.builds(Vertex, st.floats(allow_nan=False), hnp.arrays(np.int32, st.integers(0, 3))),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(deadline=None, max_examples=40)
def test_a_dataclass_is_a_column_for_each_field_recursively(tracks: list[Track | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = written(Path(folder, "file.parquet"), "track", tracks).to_pydict()

    def get(name: str) -> list[Any]:
        found: list[Any] = table.get(name, [None] * len(tracks))
        return found

    assert get("track.charge") == [track and track.charge for track in tracks]
    assert get("track.pt") == [None if track is None else track.pt.tolist() for track in tracks]
    vertices = [None if track is None else track.vertex for track in tracks]
    assert get("track.vertex.x") == [None if vertex is None else vertex.x for vertex in vertices]
    assert get("track.vertex.hits") == [None if vertex is None else vertex.hits.tolist() for vertex in vertices]


def test_dicts_named_tuples_and_structured_arrays_have_fields_too(tmp_path: Path) -> None:
    hits = np.array([(1, 2.5)], dtype=[("cell", "i4"), ("energy", "f4")])
    table = written(tmp_path / "file", "x", [{"point": Point(1.0, 2.0), "hits": hits}])
    assert table.to_pylist()[0] == {
        "run": 1, "lumi": 1, "event": 1,
        "x.point.x": 1.0, "x.point.y": 2.0, "x.hits.cell": [1], "x.hits.energy": [2.5],
    }  # fmt: skip


def test_lists_of_numbers_strings_and_arrays_are_list_columns() -> None:
    assert column([[], (1, 2), [3]]).to_pylist() == [[], [1, 2], [3]]
    assert column([["a"], [], ["b\0", "c"]]).to_pylist() == [["a"], [], ["b\0", "c"]]
    ragged: list[object] = [[], [np.arange(2), np.arange(0)], [[], [5]]]
    assert column(ragged).to_pylist() == [[], [[0, 1], []], [[], [5]]]
    assert str(column([[1, 2.5]]).type) == "list<element: double>"


def test_an_object_that_first_comes_late_widens_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    late = Track(np.ones(1, np.float32), 1, None)
    table = written(tmp_path / "file", "x", [{}, {"a": []}, None, {"a": [7], "b": late}, {"a": []}])
    assert table["x.a"].to_pylist() == [None, [], None, [7], []]
    assert table["x.b.charge"].to_pylist() == [None, None, None, 1, None]
    assert table["event"].to_pylist() == [1, 2, 3, 4, 5]
    assert names_in(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        (np.zeros(1, np.float32), np.zeros(1), "expected list of float32, found list of float64"),
        (np.zeros(1), np.zeros((1, 1)), "expected list of float64, found lists of list of float64"),
        (1, 1.5, "expected int64, found float64"),
        ("a", 1, "expected str, found int64"),
        (1.0, Point(1.0, 2.0), "expected float64, found one with fields"),
        (Point(1.0, 2.0), 1.0, "expected one with fields, found float64"),
        (1.0, 1j, "found complex, which no column can hold"),
        (1, 2**63, "does not fit into 64 bits"),
        ({"a": 1}, {1: 1}, "only strings can name columns"),
        (np.zeros(1), np.ma.masked_array([1.0], [True]), "a masked array, whose mask would be lost"),
        ([1], [None], "found NoneType"),
        ([1], [1, "a"], "expected int64, found str"),
    ],
)
def test_a_value_of_another_type_is_an_error_that_names_file_event_and_product(
    tmp_path: Path, first: object, then: object, says: str
) -> None:
    output = ParquetOutput(tmp_path / "file.parquet", keep=["x"])
    output.open()
    with pytest.raises(DataError) as caught:
        output.write(rows_of("x", [first, then]))
    text = str(caught.value)
    assert "file.parquet: event 1:1:2, product 'x'" in text
    assert says in text
    output.close()
    assert names_in(tmp_path) == []


def test_products_with_the_same_column_cannot_both_be_kept(tmp_path: Path) -> None:
    output = ParquetOutput(tmp_path / "file", keep=["x", "x.y"])
    output.open()
    with pytest.raises(DataError, match="do not keep both"):
        output.write([Row(EventID(1, 1, 1), {"x": Point(1.0, 2.0), "x.y": 1.0}, {})])


def test_the_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    output = ParquetOutput(tmp_path / "file", keep=["x"])
    output.open()
    output.write(rows_of("x", [1.0]))
    assert names_in(tmp_path) == [f".file.{os.getpid()}.partial"]
    output.close()
    assert names_in(tmp_path) == ["file"]


def test_discard_leaves_the_earlier_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 1)
    written(tmp_path / "file", "x", [1.0])
    output = ParquetOutput(tmp_path / "file", keep=["x"])
    output.open()
    output.write(rows_of("x", [2.0]))
    output.discard()
    output.discard()
    assert names_in(tmp_path) == ["file"]
    assert pq.read_table(tmp_path / "file")["x"].to_pylist() == [1.0]


def test_one_output_can_be_run_twice(tmp_path: Path) -> None:
    output = ParquetOutput(tmp_path / "file", keep=["value"])
    job = job_of([{"value": 1.0}], output)
    job.run()
    job.run()
    assert pq.read_table(tmp_path / "file")["value"].to_pylist() == [1.0]


def test_rows_go_into_row_groups_by_number_and_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 4)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    big, small = np.zeros(100), np.zeros(1)
    written(tmp_path / "file", "x", [small, small, small, small, small, big, big, small])
    metadata = pq.read_metadata(tmp_path / "file")
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [4, 3, 1]


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*inside\.parquet.*must be one that can be made"):
        ParquetOutput(tmp_path / "file" / "inside.parquet").open()
    with pytest.raises(DataError, match="it is a folder"):
        ParquetOutput(tmp_path).open()


def test_two_outputs_of_one_file_are_an_error(tmp_path: Path) -> None:
    first = ParquetOutput(tmp_path / "file")
    first.open()
    with pytest.raises(DataError, match="another output is writing it"):
        ParquetOutput(tmp_path / "file").open()
    first.close()


def test_a_path_that_is_none_and_a_reserved_name_are_faults() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ParquetOutput(3, keep=["event", "x"]).check()  # type: ignore[arg-type]
    assert len(caught.value.faults) == 2


def test_an_output_can_be_sent_to_another_file(tmp_path: Path) -> None:
    output = ParquetOutput("here.parquet", keep=["x"], select=["p"])
    other = output.to(tmp_path / "there.parquet")
    assert (other.path, other.keep, other.select) == (tmp_path / "there.parquet", ("x",), ("p",))
    assert repr(output) == "ParquetOutput('here.parquet')"
