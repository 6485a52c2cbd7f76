"""How many events are read, and what a source's failure does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from small_modules import MODES, Copy, numbers

from eventbraid import DataError, EventID, Job, Output, Parameter
from eventbraid.sources import EmptySource, Entry, Source
from eventbraid.testing import ListOutput


@MODES
def test_a_job_of_no_events_ends_well(mode: Any) -> None:
    output = ListOutput(keep=["copy"])
    report = Job("t", source=EmptySource(events=0), modules={}, outputs=[]).run(mode)
    assert report.events.read == 0
    Job("t", source=numbers(0), modules={"copy": Copy()}, outputs=[output]).run(mode)
    assert output.closed
    assert output.rows == []


@MODES
def test_events_limits_what_is_read(mode: Any) -> None:
    assert Job("t", source=numbers(10), modules={}).run(mode, events=3).events.read == 3
    assert Job("t", source=numbers(10), modules={}, events=4).run(mode).events.read == 4
    assert Job("t", source=EmptySource(events=2), modules={}).run(mode, events=5).events.read == 5
    assert Job("t", source=numbers(10), modules={}).run(mode, events=0).events.read == 0


class Broken(Source):
    """Yields two events, then raises."""

    x = Output[int]()
    where = Parameter("record")

    def partitions(self) -> Iterator[Iterable[Entry]]:
        yield self.records()
        raise OSError("disk gone")

    def records(self) -> Iterator[Entry]:
        yield Entry(EventID(1, 1, 1), {"x": 1})
        yield Entry(EventID(1, 1, 2), {"x": 2})
        if self.where == "record":
            raise DataError("file.root, entry 2: the branch ends")


@MODES
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("record", "file.root, entry 2: the branch ends"),
        ("partition", "Broken failed after 2 events: OSError: disk gone"),
    ],
)
def test_a_source_that_fails_ends_the_job_with_what_was_read_done(mode: Any, where: str, text: str) -> None:
    job = Job("t", source=Broken(where=where), modules={"copy": Copy()}, paths={"p": ["copy"]})
    with pytest.raises(DataError) as raised:
        job.run(mode)
    assert text in str(raised.value)
    assert raised.value.report is not None
    assert raised.value.report.events.passed == 2


@MODES
def test_a_product_that_the_source_does_not_declare_is_its_error(mode: Any) -> None:
    class Sloppy(Broken):
        def records(self) -> Iterator[Entry]:
            yield Entry(EventID(1, 1, 1), {"y": 1})

    with pytest.raises(DataError, match="the source put 'y', which it does not declare"):
        Job("t", source=Sloppy(), modules={}).run(mode)
