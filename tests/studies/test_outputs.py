"""The outputs of a job that is measured go elsewhere."""

from __future__ import annotations

from pathlib import Path

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid.sources import EmptySource
from eventbraid.studies.outputs import redirected
from eventbraid.testing import ListOutput


def test_outputs_of_the_same_name_go_to_different_files(tmp_path: Path) -> None:
    outputs = [ParquetOutput("a/x.parquet", keep=["p"]), ParquetOutput("b/x.parquet"), ListOutput(select=["q"])]
    job = Job("test", source=EmptySource(), modules={}, outputs=outputs)
    others, files = redirected(job, tmp_path)
    assert list(files) == ["x.parquet", "x.parquet (2)", "ListOutput.parquet"]
    assert len(set(files.values())) == 3
    assert [(other.keep, other.select) for other in others] == [(("p",), ()), ((), ()), ((), ("q",))]
