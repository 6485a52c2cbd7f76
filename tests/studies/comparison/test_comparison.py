"""What a comparison makes of its runs: gains, bounds, the events in flight that it takes, and what it says of them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))
from measured import asked, comparison_of, run_of

from eventbraid.studies import Difference, Point, Spread
from eventbraid.studies.comparison import render
from eventbraid.studies.comparison.bounds import events_needed
from eventbraid.studies.comparison.views.sentences import bounds, gains, sameness

NEAR, FAR = Point("blocking", 1, 0.0), Point("blocking", 1, 0.1)
NEAR_4, FAR_4, FAR_16 = Point("async", 4, 0.0), Point("async", 4, 0.1), Point("async", 16, 0.1)
STUDY = comparison_of(
    run_of(NEAR, seconds=2.0, latency=0.02, models=[asked(network=0.0)]),
    run_of(Point("local"), seconds=1.5),
    run_of(NEAR_4, seconds=1.0, models=[asked(network=0.0)]),
    run_of(FAR, seconds=12.0, latency=0.12, models=[asked(network=0.1)]),
    run_of(FAR_4, seconds=3.0, models=[asked(network=0.1)]),
    run_of(FAR_16, seconds=1.0, models=[asked(network=0.1)]),
)


def test_a_gain_is_counted_from_blocking_mode_with_the_server_at_the_same_distance() -> None:
    assert STUDY.speed_up(FAR_16) == Spread(12, 12, 12)
    assert STUDY.speed_up(NEAR_4) == Spread(2, 2, 2)
    assert STUDY.speed_up(FAR) is None
    local = STUDY.speed_up(Point("local"))
    assert local is not None
    assert local.median == pytest.approx(2 / 1.5)


def test_gains_are_taken_round_by_round() -> None:
    blocking, braided = Point("blocking"), Point("async", 8)
    runs = [
        run_of(point, repeat, seconds=seconds * slow)
        for repeat, slow in enumerate((1, 10), start=1)
        for point, seconds in ((blocking, 4), (braided, 2))
    ]
    assert comparison_of(*runs).speed_up(braided) == Spread(2, 2, 2)


def test_the_fastest_point_at_each_distance_is_what_is_told() -> None:
    assert list(gains(STUDY)) == [
        "speed-up 2.00 (one pair): async, 4 in flight, 0 ms away, against blocking, 0 ms away",
        "speed-up 12.00 (one pair): async, 16 in flight, 100 ms away, against blocking, 100 ms away",
    ]
    assert STUDY.pair() == (FAR, FAR_16)


def test_a_server_that_is_farther_takes_more_events_in_flight() -> None:
    near, far = STUDY.bounds()
    assert near.cpu == far.cpu == pytest.approx(125)  # 8 ms of modules an event
    assert near.server == far.server == pytest.approx(200)
    assert not near.by_server
    assert (near.needed, far.needed) == (3, 15)  # 125/s x 20 ms and x 120 ms
    assert far.reached == pytest.approx(0.8)
    assert list(bounds(STUDY))[1] == (
        "bound, server 100 ms away: 125 events/s by the modules' CPU work on one core, 200 by the server; the lower "
        "one takes 15 events in flight (125/s x 120.0 ms); with 16 it is reached to 80%"
    )


def test_a_slow_server_is_the_bound() -> None:
    blocking, braided = Point("blocking"), Point("async", 8)
    models = [asked(compute=0.018)]
    study = comparison_of(run_of(blocking, seconds=4, models=models), run_of(braided, seconds=2, models=models))
    (bound,) = study.bounds()
    assert bound.by_server
    assert bound.lowest == pytest.approx(1 / 0.018)
    assert study.to_dict()["bounds"][0]["events_needed"] == 2


@given(st.floats(0, 1e6), st.floats(0, 100))
def test_the_events_needed_carry_the_rate_and_one_less_would_not(rate: float, latency: float) -> None:
    needed = events_needed(rate, latency)
    assert needed >= rate * latency - 1e-6
    assert needed == 1 or needed - 1 < rate * latency


def test_a_study_of_one_mode_has_no_gain_and_no_picture() -> None:
    study = comparison_of(run_of(Point("async", 4)), run_of(Point("async", 8)))
    assert study.pair() is None
    assert study.speed_up(Point("async", 4)) is None


def test_other_modes_can_be_pictured_too() -> None:
    threads, braided = Point("threads", 4), Point("async", 4)
    assert comparison_of(run_of(threads), run_of(braided)).pair() == (threads, braided)
    assert comparison_of(run_of(Point("local")), run_of(threads)).pair() == (Point("local"), threads)


def test_modes_that_differ_and_a_job_that_does_not_repeat_are_told_apart() -> None:
    difference = Difference("a.parquet", "jets", "1:1:1", "1", "2", "async, run 1", "blocking, run 1")
    runs = (run_of(NEAR), run_of(NEAR_4))
    differing = comparison_of(*runs, differences=(difference,))
    unrepeated = comparison_of(*runs, differences=(difference,), unrepeated=(difference,))
    assert sameness(differing) == (False, "not identical: 1 differences")
    assert sameness(unrepeated)[1].startswith("not repeatable: two runs in the same mode differ")
    assert (differing.to_dict()["repeatable"], unrepeated.to_dict()["repeatable"]) == (True, False)


def test_a_single_run_says_nothing_of_sameness() -> None:
    assert sameness(comparison_of(run_of(NEAR))) == (None, "nothing to compare: one run has ended")


def test_the_terminal_shows_points_times_bounds_and_saturated_servers() -> None:
    models = [asked(compute=0.019, queue=0.03)]
    study = comparison_of(run_of(Point("blocking")), run_of(Point("async", 64), models=models))
    file = io.StringIO()
    render(study, Console(file=file, width=120))
    text = file.getvalue()
    for said in (
        "events/s",
        "where the time of an event goes",
        "is saturated at 50.0 requests/s",
        "bound: 125 events/s",
    ):
        assert said in text


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    difference = Difference("[red].parquet", "[/]", "1:1:1", "1", "2", "async", "blocking")
    file = io.StringIO()
    render(comparison_of(run_of(NEAR), run_of(NEAR_4), differences=(difference,)), Console(file=file, width=120))
    assert "[red].parquet, column [/], event 1:1:1: 1 in blocking, 2 in async" in file.getvalue()


def test_all_of_it_is_json() -> None:
    found = json.loads(json.dumps(STUDY.to_dict(), allow_nan=False))
    assert [each["name"] for each in found["points"]] == [point.name for point in STUDY.points]
    assert found["points"][0]["servers"][0]["server_compute"] == 0.005
    assert found["points"][5]["distance_seconds"] == 0.1
