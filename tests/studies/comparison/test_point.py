"""The points of a study: every combination that means something, once, and what is wrong with others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError
from eventbraid.studies.comparison.point import MODES, Point, make_points


def test_only_modes_with_several_events_have_a_point_for_each_number_of_them() -> None:
    assert make_points(["async", "blocking"], [4, 1]) == (Point("blocking"), Point("async", 1), Point("async", 4))


def test_every_mode_that_asks_a_server_has_a_point_for_each_distance() -> None:
    assert make_points(["blocking", "local", "async"], [8], [0.012, 0]) == (
        Point("blocking", 1, 0),
        Point("local"),
        Point("async", 8, 0),
        Point("blocking", 1, 0.012),
        Point("async", 8, 0.012),
    )


@given(
    st.lists(st.sampled_from(MODES), min_size=1),
    st.lists(st.integers(1, 100), min_size=1),
    st.lists(st.floats(0, 10)),
)
def test_no_point_is_there_twice_and_none_is_left_out(
    modes: list[str], streams: list[int], distances: list[float]
) -> None:
    points = make_points(modes, streams, distances)
    assert len(set(points)) == len(points)
    several, one = len({"threads", "async"} & {*modes}), len({"blocking"} & {*modes})
    servers = len(set(distances)) or 1
    assert len(points) == servers * (several * len(set(streams)) + one) + ("local" in modes)


def test_every_fault_of_the_points_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_points(["asynch"], [0, 3], [-1.0, 11.0])
    assert [str(fault) for fault in raised.value.faults] == [
        "--mode: there is no mode 'asynch' (did you mean 'async'?)",
        "--streams: must be whole numbers from 1 to 10000, not 0",
        "--distance: must be from 0 to 10 s, not -1.0 s",
        "--distance: must be from 0 to 10 s, not 11.0 s",
    ]


def test_a_study_of_nothing_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="--mode: names nothing"):
        make_points([], [1])


def test_a_point_is_named_by_what_sets_it_apart() -> None:
    assert [each.name for each in (Point("local"), Point("blocking", 1, 0), Point("async", 16, 1.5))] == [
        "local",
        "blocking, 0 ms away",
        "async, 16 in flight, 1.5 s away",
    ]
