"""Products of a source may have any name: they come from files and lists that know nothing of its methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from root_files import products_of, write_tree

from eventbraid import Event, Input, Job, Output, Producer
from eventbraid.sources import RootSource
from eventbraid.testing import ListOutput, ListSource

NAMES = ("count", "events", "ids", "outputs", "partitions", "__dict__", "__class__")


@pytest.mark.parametrize("name", NAMES)
async def test_a_list_may_have_products_of_any_name(name: str) -> None:
    class Copy(Producer):
        read = Input[int](name)
        value = Output[int]()

        def produce(self, event: Event) -> None:
            event[self.value] = event[self.read]

    output = ListOutput(keep=["copy"])
    source = ListSource([{name: 1}, {name: 2}])
    job = Job("t", source=source, modules={"copy": Copy()}, paths={"p": ["copy"]}, outputs=[output])
    report = await job.run_async()
    assert (report.events.passed, [row.products["copy"] for row in output.rows]) == (2, [1, 2])


@pytest.mark.parametrize("name", ["count", "files", "partitions", "tree"])
def test_a_branch_may_have_any_name(tmp_path: Path, name: str) -> None:
    file = write_tree(tmp_path / "a.root", {name: np.arange(4.0)})
    assert products_of(RootSource(str(file), branches=name), name) == [0, 1, 2, 3]
