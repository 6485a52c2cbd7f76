"""Products into a Parquet file, one row an event, in the order of the events."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np

from eventbraid.errors import DataError, need_extra
from eventbraid.event import EventID
from eventbraid.outputs.arrow import to_arrow
from eventbraid.outputs.base import OutputModule, Row
from eventbraid.outputs.columns import Kind, Mismatch, columns, kind_of, unify

__all__ = ["ParquetOutput"]

MOST_ROWS: Final = 1024
"""Rows in a row group, which is also what is held in memory."""
MOST_BYTES: Final = 64 << 20
"""Bytes of products after which a row group is written even if it has fewer rows."""
IDENTITY: Final = {"run": np.dtype(np.int64), "lumi": np.dtype(np.int64), "event": np.dtype(np.uint64)}


@dataclass(slots=True)
class _Column:
    """A column of the row group that is being filled."""

    label: str
    kind: Kind
    values: list[Any] = field(default_factory=list[Any])


class ParquetOutput(OutputModule):
    """Writes the kept products of the selected events to one Parquet file.

    Columns are `run`, `lumi`, `event`, one boolean `path.<name>` for each path of the job, and the
    products: a number, string or array is the column `label`, arrays as lists; a dataclass, a dict and
    the like are a column `label.field` each. Absent products are null, and a product that no event had is
    a column of nulls. The first value of a column fixes its type; another one later is a `DataError`.
    A row group is 1024 rows or 64 MiB. Until `close` the file is `.<name>.<pid>.partial` beside its
    place, and it takes its name only if every row was written. Needs the extra "parquet".
    """

    _being_written: ClassVar[set[Path]] = set()

    def __init__(
        self, path: str | Path, *, keep: Sequence[str] = (), select: Sequence[str] = (), **settings: Any
    ) -> None:
        super().__init__(keep=keep, select=select, **settings)
        if not _is_path(path):
            self._fault(f"path must be the name of the file to write, not {path!r}")
            path = "invalid"
        self.path = Path(path).expanduser()
        for label in self.keep:
            if label in IDENTITY:
                self._fault(f"cannot keep the product {label!r}: every file has a column of that name")
        self._target: Path | None = None
        self._partial = Path()
        self._writer: Any = None
        self._schema: Any = None
        self._rows: list[Row] = []
        self._bytes = 0
        self._columns: dict[str, _Column] = {}

    def to(self, path: str | Path) -> Self:
        _, settings = self._made_from
        return type(self)(path, **{name: value for name, value in settings.items() if name != "path"})

    def open(self) -> None:
        """Create the partial file; raises `DataError` where nothing can be written there."""
        need_extra("pyarrow.parquet", "parquet", "ParquetOutput")
        target = self.path.absolute()
        if target.is_dir():
            raise DataError(f"cannot write {self.path}: it is a folder; name a file in it")
        if target in self._being_written:
            raise DataError(f"cannot write {self.path}: another output is writing it; give each a file of its own")
        self._partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._partial.touch()
        except OSError as error:
            hint = "the folder must be one that can be made and written to"
            raise DataError(f"cannot write {self.path}: {error.strerror or error} ({hint})") from error
        self._being_written.add(target)
        self._target = target
        self._writer = self._schema = None
        self._columns = {}
        self._clear()

    def write(self, rows: Sequence[Row]) -> None:
        """Take the next rows; after an error the file is given up."""
        if self._target is None:
            return
        try:
            for row in rows:
                self._add(row)
                if len(self._rows) >= MOST_ROWS or self._bytes >= MOST_BYTES:
                    self._flush()
        except BaseException:
            self.discard()
            raise

    def close(self) -> None:
        """Write what is left and let the file appear."""
        if self._target is None:
            return
        try:
            if self._rows or self._writer is None:
                self._flush()
            self._close_writer()
            self._partial.replace(self._target)
        except BaseException:
            self.discard()
            raise
        self._being_written.discard(self._target)
        self._target = None

    def discard(self) -> None:
        """Remove the partial file."""
        if self._target is None:
            return
        with contextlib.suppress(Exception):
            self._close_writer()
        self._writer = None
        self._partial.unlink(missing_ok=True)
        self._being_written.discard(self._target)
        self._target = None
        self._columns = {}
        self._clear()

    def _add(self, row: Row) -> None:
        before = len(self._rows)
        self._rows.append(row)
        for label, product in row.products.items():
            try:
                for name, value in columns(label, product):
                    if value is not None:
                        self._put(label, name, value, before)
            except Mismatch as error:
                raise self._wrong(row.id, label, str(error)) from None
        for column in self._columns.values():
            if len(column.values) == before:
                column.values.append(None)

    def _put(self, label: str, name: str, value: object, before: int) -> None:
        try:
            kind = kind_of(value)
        except Mismatch as error:
            raise Mismatch(f"column {name!r}: found {error}") from None
        column = self._columns.get(name)
        if column is None:
            self._check_new(label, name, value)
            column = self._columns[name] = _Column(label, kind, [None] * before)
        elif column.label != label or len(column.values) > before:
            raise Mismatch(f"its column {name!r} has the name of one of {column.label!r}; do not keep both")
        elif column.kind != kind:
            try:
                column.kind = unify(column.kind, kind)
            except Mismatch as error:
                raise Mismatch(f"column {name!r}: {error}; a column keeps the type of its first value") from None
        column.values.append(value)
        self._bytes += value.nbytes if isinstance(value, np.ndarray) else sys.getsizeof(value)

    def _check_new(self, label: str, name: str, value: object) -> None:
        """A product is one column or has fields, in every event the same."""
        if name in IDENTITY or name in {f"path.{path}" for path in self.paths}:
            raise Mismatch(f"its column {name!r} has a name that every file has")
        for other, column in self._columns.items():
            if column.label != label:
                continue
            if name.startswith(f"{other}."):
                raise Mismatch(f"column {other!r}: expected {column.kind}, found one with fields")
            if other.startswith(f"{name}."):
                raise Mismatch(f"column {name!r}: expected one with fields, found {kind_of(value)}")

    def _wrong(self, event: EventID, label: str, what: str) -> DataError:
        return DataError(f"cannot write {self.path}: event {event}, product {label!r}: {what}")

    def _flush(self) -> None:
        """Write the row group; a column that was not known before is added to what is written."""
        pa: Any = need_extra("pyarrow", "parquet", "ParquetOutput")
        arrays = dict(self._arrays(pa))
        table = pa.table(list(arrays.values()), names=list(arrays))
        writer = self._writer
        if writer is None:
            writer = self._start(table.schema)
        elif table.schema != self._schema:
            writer = self._grow(table.schema)
        writer.write_table(table, row_group_size=MOST_ROWS)
        self._clear()

    def _arrays(self, pa: Any) -> Iterator[tuple[str, Any]]:
        rows = self._rows
        for place, (name, dtype) in enumerate(IDENTITY.items()):
            yield name, pa.array(np.array([row.id[place] for row in rows], dtype))
        for path in self.paths:
            yield f"path.{path}", pa.array([row.path_results[path].passed for row in rows], pa.bool_())
        for label in dict.fromkeys(self.keep):
            mine = [(name, column) for name, column in self._columns.items() if column.label == label]
            if not mine:
                yield label, pa.nulls(len(rows))
            for name, column in mine:
                yield name, to_arrow(column.values, column.kind)

    def _start(self, schema: Any) -> Any:
        parquet: Any = need_extra("pyarrow.parquet", "parquet", "ParquetOutput")
        self._schema = schema
        self._writer = parquet.ParquetWriter(self._partial, schema)
        return self._writer

    def _grow(self, schema: Any) -> Any:
        """Write what was written again under a wider schema, a row group at a time."""
        pa: Any = need_extra("pyarrow", "parquet", "ParquetOutput")
        parquet: Any = need_extra("pyarrow.parquet", "parquet", "ParquetOutput")
        self._close_writer()
        old = self._partial.with_suffix(".old.partial")
        self._partial.replace(old)
        try:
            writer = self._start(schema)
            with parquet.ParquetFile(old) as written:
                for group in range(written.num_row_groups):
                    table = written.read_row_group(group)
                    arrays = [
                        table[each.name].cast(each.type)
                        if each.name in table.column_names
                        else pa.nulls(len(table), each.type)
                        for each in schema
                    ]
                    writer.write_table(pa.table(arrays, schema=schema), row_group_size=MOST_ROWS)
        finally:
            old.unlink(missing_ok=True)
        return writer

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _clear(self) -> None:
        self._rows = []
        self._bytes = 0
        for column in self._columns.values():
            column.values = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


def _is_path(path: object) -> bool:
    return isinstance(path, (str, Path)) and bool(str(path).strip())
