"""A step that is to be alone is, in a thread and when it is late."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from offloaded import BRAIDED, Plain, Where, job, outcome

from eventbraid import Event


class Alone(Plain):
    """Notes whether a call begins while another is inside; the one of the event whose x is 1 may take long."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__(Where())
        self.go_on = go_on
        self.inside = self.overlaps = 0

    def produce(self, event: Event) -> None:
        self.overlaps += self.inside > 0
        self.inside += 1
        if event[self.x] == 1:
            self.go_on.wait(0.2)
        elif event[self.x] == 2:
            self.go_on.set()
        self.inside -= 1
        event[self.value] = 1


BOUNDS = pytest.mark.parametrize(
    "bound", [{"kind": "serial"}, {"limit": 1}, {"resources": ("tape",)}], ids=["serial", "limit", "resource"]
)


@BRAIDED
@BOUNDS
async def test_a_bounded_step_in_a_thread_is_alone(mode: Any, bound: Any) -> None:
    go_on = threading.Event()
    go_on.set()
    alone = type("Bound", (Alone,), bound)(go_on)
    made, _ = job({"m": alone}, 30, streams=6)
    report, _ = await outcome(made, mode)
    assert (report.events.passed, alone.overlaps) == (30, 0)


@BRAIDED
@BOUNDS
async def test_a_bounded_step_in_a_thread_is_alone_also_after_one_that_took_too_long(mode: Any, bound: Any) -> None:
    alone = type("Bound", (Alone,), {**bound, "module_timeout": 0.05})(threading.Event())
    made, _ = job({"m": alone}, 3, on_error="skip", streams=3)
    report, _ = await outcome(made, mode)
    assert report.events.failed >= 1
    assert alone.overlaps == 0


@BRAIDED
async def test_a_copy_of_a_module_is_not_called_while_a_thread_still_runs_a_late_step_of_it(mode: Any) -> None:
    go_on, all_of_them = threading.Event(), list[Alone]()

    class OfAStream(Alone):
        kind = "stream"
        module_timeout = 0.05

        def begin_job(self) -> None:
            all_of_them.append(self)

    made, _ = job({"m": OfAStream(go_on)}, 3, on_error="skip", streams=1)
    report, _ = await outcome(made, mode)
    assert report.events.failed >= 1
    assert [each.overlaps for each in all_of_them] == [0]
