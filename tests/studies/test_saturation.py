"""Where curves over the number of clients say that servers are saturated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.studies.saturation import knee_of, plateau

seconds = st.floats(0.01, 100)


@given(st.floats(60, 340), seconds, st.floats(0.01, 1))
def test_the_knee_of_a_line_that_is_flat_and_then_rises_is_found(place: float, flat: float, slope: float) -> None:
    clients = [1, 20, 50, *range(70, 401, 30)]
    times = [flat + slope * max(0.0, each - place) for each in clients]
    found = knee_of(clients, times)
    assert found.clients == pytest.approx(place, abs=1)
    assert found.flat == pytest.approx(flat, rel=0.01, abs=1.0 * slope)
    assert found.slope == pytest.approx(slope, rel=0.05)


def test_the_order_of_the_points_does_not_matter() -> None:
    assert knee_of((4, 1, 3, 2), (3.0, 1.0, 2.0, 1.0)) == knee_of((1, 2, 3, 4), (1.0, 1.0, 2.0, 3.0))


def test_a_knee_needs_four_points() -> None:
    with pytest.raises(ValueError, match="at least four points"):
        knee_of((1, 2, 3), (1.0, 1.0, 1.0))


def test_points_far_apart_have_the_knee_where_their_line_comes_from() -> None:
    times = [max(0.24, 0.02 * clients) for clients in (1, 4, 8, 16, 24)]
    assert knee_of((1, 4, 8, 16, 24), times).clients == pytest.approx(12, abs=0.1)


def test_a_rate_that_still_grows_has_no_plateau() -> None:
    assert plateau([1, 2, 4], [10, 20, 39]) is None
    assert plateau([1, 2, 4, 8], [10, 20, 29, 30]) == 30
    assert plateau([1], [10]) is None
