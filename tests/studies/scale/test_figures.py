"""Figures of a study of many clients: of points and the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventbraid.errors import DataError
from eventbraid.studies.scale.machine import Cores, busy_share, read_cores
from eventbraid.studies.scale.point import point_of

ASKED = {"requests": 4, "split": {"server_queue": 0.002}}


def result(events: list[tuple[float, float]], module: float = 0.5, inference: Any = None) -> dict[str, Any]:
    """Of a client whose module has each event for so many seconds, at its end."""
    report = {"events": {"read": len(events), "failed": 0}, "inference": inference or {}}
    return {"report": report, "events": events, "modules": [(end - module, end) for _, end in events]}


def test_rate_and_times_are_of_the_window_in_which_all_clients_run() -> None:
    early = result([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0), (5.0, 6.0)])
    late = result([(1.0, 3.0), (3.0, 5.0), (5.0, 7.0)], module=1.0)
    point = point_of([early, late], 2, 0.5)
    assert (point.clients, point.gpus, point.events, point.machine) == (2, 2, 9, 0.5)
    assert point.overlap == 5.0
    assert point.events_per_second == pytest.approx(1 + 1 / 2)
    assert point.event_seconds == 1.0
    assert point.module_seconds == pytest.approx((5 * 0.5 + 2 * 1.0) / 7)
    assert point.module_p95 == 1.0


def test_what_is_let_settle_does_not_count() -> None:
    slow = [(0.0, 2.0), (2.0, 4.0)]
    point = point_of([result([*slow, *((float(n), n + 1.0) for n in range(4, 10))])], None, None, settle=0.5)
    assert point.overlap == 5.0
    assert point.events_per_second == 1.0
    assert point.event_seconds == 1.0


def test_clients_that_never_run_together_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match="fewer than two events while all 2 of them were at work: give them more"):
        point_of([result([(0.0, 1.0)]), result([(2.0, 3.0)])], None, None)


def test_a_client_without_events_is_an_error() -> None:
    with pytest.raises(DataError, match="a client had no event"):
        point_of([result([(0.0, 1.0)]), result([])], None, None)


def test_the_queue_is_the_mean_over_requests_and_unknown_where_no_server_says() -> None:
    other = {"requests": 12, "split": {"server_queue": 0.006}}
    unknown = {"requests": 5, "split": {"server_queue": None}}
    events = [(0.0, 1.0), (1.0, 2.0)]
    told = point_of([result(events, inference={"models": [ASKED, other, unknown]})], None, None)
    assert told.server_queue == pytest.approx((4 * 0.002 + 12 * 0.006) / 16)
    assert point_of([result(events, inference={"models": [unknown]})], None, None).server_queue is None


def test_the_machine_is_as_busy_as_its_cores_were_in_between(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    file.write_text("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 2 3\n")
    before = read_cores(file)
    assert before == Cores(30, 100)
    assert busy_share(before, Cores(120, 200)) == pytest.approx(0.9)
    assert busy_share(before, before) is None


@pytest.mark.parametrize("text", ["", "cpu a b c", None])
def test_a_system_that_does_not_say_is_unknown(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "stat").write_text(text)
    assert busy_share(read_cores(tmp_path / "stat"), Cores(1, 2)) is None
