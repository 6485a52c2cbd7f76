"""The closed form of scaling out, and where a curve has its knee."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.studies.simulation import Scaling, knee_of
from eventbraid.studies.simulation.published import protodune_scaling

seconds = st.floats(0.01, 100)


@given(seconds, seconds, seconds, st.integers(1, 16), st.integers(1, 1000))
def test_eq_4_is_eq_2_below_the_saturation_and_eq_5_above(
    other: float, latency: float, gpu: float, gpus: int, clients: int
) -> None:
    scaling = Scaling(other, latency, gpu)
    expected = scaling.ideal if clients <= scaling.saturation(gpus) else gpu * clients / gpus
    assert scaling.event(clients, gpus) == pytest.approx(expected)
    assert scaling.module(clients, gpus) == pytest.approx(expected - other, abs=1e-6)


def test_the_paper_s_own_numbers_fit_its_equation() -> None:
    """arXiv:2009.04509: 13 s for the module and 123 s for the event with 1693 rows; 68 clients a GPU."""
    scaling = protodune_scaling(1693)
    assert scaling.module(1, 4) == pytest.approx(13, rel=0.02)
    assert scaling.event(1, 4) == pytest.approx(123, rel=0.01)
    assert scaling.saturation(1) == pytest.approx(68, rel=0.05)


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
