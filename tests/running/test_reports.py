"""What listeners, traces and the report are told of a run."""

from __future__ import annotations

from typing import Any

import pytest
from small_modules import MODES, Copy, Fails, numbers

from eventbraid import EventID, Job
from eventbraid.services import Listener, Trace


def test_a_listener_that_raises_is_disabled_with_a_warning_and_the_job_goes_on() -> None:
    class Bad(Listener):
        def event_begins(self, event: EventID, number: int, time: float) -> None:
            raise KeyError("oops")

    with pytest.warns(RuntimeWarning, match="listener Bad raised and is disabled"):
        report = Job("t", source=numbers(3), modules={}).run(listeners=[Bad()])
    assert report.events.read == 3


@MODES
def test_a_trace_has_every_step_of_the_events_that_it_keeps(mode: Any) -> None:
    trace = Trace(1, 3)
    Job("t", source=numbers(5), modules={"copy": Copy()}, paths={"p": ["copy"]}).run(mode, listeners=[trace])
    assert sorted((span.event, span.label, span.step) for span in trace.spans) == [
        (1, "copy", "produce"),
        (2, "copy", "produce"),
    ]
    assert all(span.stop >= span.start >= 0 for span in trace.spans)


def test_without_timing_the_report_has_no_modules() -> None:
    assert Job("t", source=numbers(3), modules={"copy": Copy()}, paths={"p": ["copy"]}).run(timing=False).modules == {}


def test_the_report_is_json() -> None:
    import json

    report = Job("t", source=numbers(4), modules={"fails": Fails()}, paths={"p": ["fails"]}, on_error="skip").run()
    read = json.loads(report.to_json())
    assert read["events"] == {"read": 4, "passed": 3, "failed": 1, "not_selected": 0}
    assert read["failures"] == [
        {"event": "1:1:3", "path": "p", "module": "fails", "step": "produce", "error": "ValueError: a bad hit"}
    ]
