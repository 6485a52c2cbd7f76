"""Steps become bars of one stretch of time, and bars a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from eventbraid import DataError
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.measurement import Measurement, Step, Window
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.comparison.study import window_of
from eventbraid.studies.comparison.views.picture import colours_of, draw
from eventbraid.studies.comparison.views.timeline import Bar, bars, covered, panels
from eventbraid.studies.picture import check

BLOCKING = [
    step
    for event in range(4)
    for step in (
        Step(event, "digis", "produce", 12.0 * event, 12.0 * event + 1, 1),
        Step(event, "facile", "external work", 12.0 * event + 1, 12.0 * event + 11, 0),
        Step(event, "facile", "produce", 12.0 * event + 11, 12.0 * event + 12, 1),
    )
]
BRAIDED = [
    step
    for event in range(4)
    for step in (
        Step(event, "digis", "produce", event, event + 1, 1),
        Step(event, "facile", "external work", event + 1, event + 11, 0),
        Step(event, "facile", "produce", event + 11, event + 12, 1),
    )
]


def run_of(point: Point, steps: Sequence[Step], seconds: float) -> Measurement:
    report = {
        "events": {"read": 4},
        "seconds": seconds,
        "cpu_seconds": 8.0,
        "events_per_second": 4 / seconds,
        "efficiency": 8 / seconds,
        "modules": {"digis": {"cpu_seconds": 4.0}, "facile": {"cpu_seconds": 4.0}},
        "errors": 0,
        "inference": {},
    }
    return Measurement(point, 1, report, (12.0,) * 4, tuple(steps), (), {})


ABOVE, BELOW = Point("blocking"), Point("async", 4)
RUNS = {ABOVE: (run_of(ABOVE, BLOCKING, 48),), BELOW: (run_of(BELOW, BRAIDED, 15),)}
COMPARISON = Comparison("test", 1, (ABOVE, BELOW), RUNS)


def test_a_step_is_a_bar_of_the_core_and_then_of_waiting() -> None:
    assert list(bars([Step(3, "m", "produce", 1, 5, 1.5)], origin=0.5, length=10)) == [
        Bar(3, "m", "cpu", 0.5, 2.0),
        Bar(3, "m", "waiting", 2.0, 4.5),
    ]


def test_external_work_is_a_bar_of_its_own_kind() -> None:
    assert list(bars([Step(3, "m", "external work", 1, 5, 0)], 0, 10)) == [Bar(3, "m", "external", 1, 5)]


def test_bars_are_cut_to_the_stretch_and_dropped_outside_it() -> None:
    steps = [Step(0, "m", "produce", 0, 2, 2), Step(0, "m", "produce", 4, 9, 5), Step(0, "m", "produce", 20, 21, 1)]
    assert [(bar.start, bar.stop) for bar in bars(steps, origin=1, length=5)] == [(0, 1), (3, 5)]


def test_time_covered_twice_counts_once() -> None:
    assert covered([(0, 2), (1, 3), (1.5, 2.5), (5, 6)]) == 4
    assert covered([]) == 0


def test_blocking_shows_how_far_it_gets_while_the_braided_events_end() -> None:
    blocking, braided, length = panels(BLOCKING, BRAIDED, Window(0, 4, 0, 4))
    assert length == pytest.approx(15 * 1.01)
    assert braided.events == (0, 1, 2, 3)
    assert blocking.events == (0, 1)
    assert braided.busy == pytest.approx(8 / length)


def test_the_core_shows_all_events_and_the_rows_only_some() -> None:
    _, braided, _ = panels(BLOCKING, BRAIDED, Window(1, 3, 0, 4))
    assert braided.events == (1, 2)
    assert {bar.event for bar in braided.bars} == {1, 2}
    assert {bar.event for bar in braided.core} >= {1, 2, 3}


def test_the_modules_that_take_most_time_have_the_first_colours() -> None:
    assert list(colours_of(panels(BLOCKING, BRAIDED, Window(0, 4, 0, 4))[:2])) == ["facile", "digis"]


def test_the_pictured_events_are_taken_from_the_middle_and_all_in_flight_are_kept() -> None:
    assert window_of(1000, 8) == Window(16, 28, 0, 44)
    assert window_of(20, 8) == Window(0, 12, 0, 28)
    assert window_of(None, 100) == Window(200, 212, 0, 412)


def test_the_picture_is_a_png_and_names_a_faulty_place_before(tmp_path: Path) -> None:
    draw(COMPARISON, Window(0, 4, 0, 4), tmp_path / "compare.png")
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    check(tmp_path / "new.png")
    with pytest.raises(DataError, match="ends with"):
        check(tmp_path / "new.docx")
    with pytest.raises(DataError, match="there is no such folder"):
        check(tmp_path / "nowhere" / "new.png")


def test_a_job_without_a_step_in_the_window_is_drawn_empty(tmp_path: Path) -> None:
    draw(COMPARISON, Window(90, 99, 90, 99), tmp_path / "compare.svg")
    assert (tmp_path / "compare.svg").read_text().startswith("<?xml")
