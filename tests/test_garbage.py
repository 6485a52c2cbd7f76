"""Python's collector during a job."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

from eventbraid import Analyzer, Event, Job
from eventbraid.garbage import passed_over
from eventbraid.job import Mode
from eventbraid.testing import ListSource


class Seen(Analyzer):
    """How many objects the collector passes over while an event is processed."""

    kind = "shared"

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def analyze(self, event: Event) -> None:
        self.counts.append(gc.get_freeze_count())


@pytest.fixture(autouse=True)
def _nothing_passed_over() -> Generator[None]:
    gc.unfreeze()
    yield
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("mode", ["async", "threads", "blocking"])
def test_what_was_there_before_the_first_event_is_passed_over_until_the_job_ends(mode: Mode) -> None:
    seen = Seen()
    Job("t", source=ListSource([{"x": 1}]), modules={"seen": seen}).run(mode)
    assert seen.counts[0] > 1000


def test_the_collector_looks_at_all_again_only_when_the_last_job_ends() -> None:
    with passed_over():
        with passed_over():
            pass
        assert gc.get_freeze_count() > 1000
    assert gc.get_freeze_count() == 0


def test_a_job_that_fails_leaves_nothing_passed_over() -> None:
    with pytest.raises(ValueError, match="mine"), passed_over():
        raise ValueError("mine")
    assert gc.get_freeze_count() == 0
